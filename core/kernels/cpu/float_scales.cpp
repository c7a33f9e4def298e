#include "core/kernels/cpu/float_scales.h"

#include <ATen/ATen.h>

#include "core/kernels/cpu/float8_lanes.h"
#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {

namespace {

using lanes::Lanes;

constexpr int64_t ranges_per_task = 1 << 14;
constexpr float float8_max = 448;
constexpr float float8_epsilon = 0.125f;  // instead of a scale of zero

struct FloatScaleLoop {
    const void* min;
    const void* max;
    void* scale;
    float most, global_scale;  ///< of float8 scales
    uint32_t offset;           ///< of powers of two
};

/// Of ranges that hold zero too.
template <int N, typename T>
CALIBENCH_INLINE typename Lanes<N>::Float largest_magnitude(const FloatScaleLoop& loop, int64_t i, int64_t count) {
    using L = Lanes<N>;
    const typename L::Float zero = {}, min = L::load(static_cast<const T*>(loop.min) + i, count), max = L::load(static_cast<const T*>(loop.max) + i, count);
    const typename L::Float bottom = min < zero ? -min : zero, top = max > zero ? max : zero;
    return bottom > top ? bottom : top;
}

template <int N, typename T>
CALIBENCH_INLINE void find_float8_scales(const FloatScaleLoop& loop, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const auto zero = typename L::Float{}, most = L::broadcast(float8_max), epsilon = L::broadcast(float8_epsilon);
    for (int64_t i = begin; i < end; i += N) {
        const auto scale = L::template narrow<T>(largest_magnitude<N, T>(loop, i, end - i) / loop.most);
        const auto rounded = lanes::nearest_e4m3<N>(L::clamp(scale * loop.global_scale, zero, most));
        L::store(static_cast<float*>(loop.scale) + i, rounded == zero ? epsilon : rounded, end - i);
    }
}

template <int N, typename T>
CALIBENCH_INLINE void find_binary_scales(const FloatScaleLoop& loop, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    using Uint = typename L::Uint;
    for (int64_t i = begin; i < end; i += N) {
        const Uint bits = reinterpret_cast<Uint>(largest_magnitude<N, T>(loop, i, end - i));
        const Uint exponent = (bits + (1u << 21)) >> 23;  // from mantissa 1.75 on the next one
        const Uint most = Uint{} + 255u, offset = Uint{} + loop.offset;
        const Uint stored = exponent == most ? most : exponent > offset ? exponent - offset : Uint{};
        const Uint least = Uint{} + (1u << 22);  // 2^-127
        L::store(static_cast<T*>(loop.scale) + i, reinterpret_cast<typename L::Float>(stored == Uint{} ? least : stored << 23), end - i);
    }
}

CALIBENCH_LOOP(float8_loop, find_float8_scales, FloatScaleLoop)
CALIBENCH_LOOP(binary_loop, find_binary_scales, FloatScaleLoop)

using Loop = void (*)(const FloatScaleLoop&, int64_t begin, int64_t end);

void run(Loop float32, Loop bfloat16, const at::Tensor& min, const at::Tensor& max, FloatScaleLoop loop) {
    const at::Tensor mins = min.contiguous(), maxs = max.contiguous();
    loop.min = mins.const_data_ptr();
    loop.max = maxs.const_data_ptr();
    const Loop find = min.scalar_type() == at::kFloat ? float32 : bfloat16;
    parallel_for(mins.numel(), ranges_per_task, [&](int64_t begin, int64_t end) { find(loop, begin, end); });
}

}  // namespace

at::Tensor float8_scales_of_ranges(const at::Tensor& min, const at::Tensor& max, float most, float global_scale) {
    at::Tensor scale = at::empty(min.sizes(), min.options().dtype(at::kFloat));
    run(float8_loop<float>, float8_loop<uint16_t>, min, max, {.scale = scale.mutable_data_ptr(), .most = most, .global_scale = global_scale});
    return scale;
}

at::Tensor binary_scales_of_ranges(const at::Tensor& min, const at::Tensor& max, int offset) {
    at::Tensor scale = at::empty(min.sizes(), min.options());
    run(binary_loop<float>, binary_loop<uint16_t>, min, max, {.scale = scale.mutable_data_ptr(), .offset = static_cast<uint32_t>(offset)});
    return scale;
}

}  // namespace calibench
