#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

/// While one lives, tensors from recycled() leave their memory to the next one of their size: work that repeats itself many times
/// takes none from the system after its first round. The last one to go frees it. Any thread.
class RecycledMemory {
public:
    RecycledMemory();
    ~RecycledMemory();
    RecycledMemory(const RecycledMemory&) = delete;
    RecycledMemory& operator=(const RecycledMemory&) = delete;
};

/// at::empty, in the processor's memory.
[[nodiscard]] at::Tensor recycled(at::IntArrayRef sizes, const at::TensorOptions& options);

}  // namespace calibench
