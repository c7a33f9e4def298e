#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "core/kernels/error_format.h"

namespace calibench::cuda {

// From tensors to what the .cu files take.

inline bool is_narrow(const at::Tensor& x) { return x.scalar_type() == at::kBFloat16; }

inline Rounding rounding_of(at::ScalarType dtype) {
    if (dtype == at::kHalf) return Rounding::Float16;
    return dtype == at::kBFloat16 ? Rounding::BFloat16 : Rounding::Float32;
}

/// Where a kernel on `x` is launched: its device is the current one for as long as this lives.
class LaunchSite {
public:
    explicit LaunchSite(const at::Tensor& x) : guard_(x.device()), stream_(c10::cuda::getCurrentCUDAStream(x.device().index()).stream()) {}
    [[nodiscard]] void* stream() const { return stream_; }

private:
    c10::cuda::CUDAGuard guard_;
    void* stream_;
};

}  // namespace calibench::cuda
