#pragma once

#include <cstdint>

namespace calibench {

/// A bfloat16 as memory holds it; this layer knows no LibTorch.
struct BFloat16Bits {
    uint16_t bits;
};

/// The inner loops of the observers, one set per instruction set, chosen when the program starts. All take `runs` rows of
/// `size` consecutive values.
struct GroupLanes {
    const char* name;  ///< "AVX-512", "AVX2", "baseline"

    /// Extends min[run], max[run] to the run's values; both become NaN when one of these is.
    void (*range_f32)(const float* x, int64_t runs, int64_t size, float* min, float* max);
    void (*range_bf16)(const BFloat16Bits* x, int64_t runs, int64_t size, float* min, float* max);
};

/// The best that this processor can run.
[[nodiscard]] const GroupLanes& group_lanes();

}  // namespace calibench
