#include "core/kernels/qdq_weight.h"

#include <cmath>
#include <cstring>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/lanes.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu {

namespace {

using lanes::InstructionSet;
using lanes::Lanes;

/// QdqWeight and its step as the loops want them.
struct Parameters {
    const void* weight;
    const void* grad;
    void* qdq;
    const float* v;
    float* v_next;
    const float* range_min;
    const float* range_max;
    float* min_scale;
    float* max_scale;
    int64_t group_size;
    float levels;  ///< 2^(b-1) symmetric, 2^b - 1 asymmetric
    bool symmetric;
    at::ScalarType scale_dtype;
    float scale_threshold;
    QdqStep step;
};

/// A group's quantization: Wq = scale * clamp(round(W / scale + v), low, high). The clamp of the reference's q + zp to
/// [0, levels] is the same, whole numbers being exact in float32.
struct Grid {
    float scale;
    float low, high;  ///< the zero point already taken off
};

/// Sums over a group that the gradients of its scale and zero point are made of; g is d loss / d Wq.
struct GroupSums {
    double by_value = 0;  ///< g * q
    double by_ratio = 0;  ///< g * W / scale where q is inside its bounds
    double outside = 0;   ///< g * scale where it is not
};

/// To float16 and back, as c10::Half rounds.
template <int N>
CALIBENCH_INLINE typename Lanes<N>::Float narrow_to_half(typename Lanes<N>::Float x) {
    using L = Lanes<N>;
    using Uint = typename L::Uint;
    const Uint bits = reinterpret_cast<Uint>(x), sign = bits & 0x80000000u;
    const auto magnitude = reinterpret_cast<typename L::Float>(bits ^ sign);
    const auto shifted = magnitude + 0.75f;  // 1.5 * 2^-1: its last place is 2^-24, as a subnormal float16's
    const auto subnormal = shifted - 0.75f;
    const auto normal = reinterpret_cast<typename L::Float>(((bits ^ sign) + 0xfffu + ((bits >> 13) & 1u)) & 0xffffe000u);
    const auto finite = magnitude < 0x1p-14f ? subnormal : normal;
    const auto rounded = finite > 65504.0f ? L::broadcast(__builtin_inff()) : finite;
    return reinterpret_cast<typename L::Float>(reinterpret_cast<Uint>(rounded) | sign);
}

template <int N>
CALIBENCH_INLINE typename Lanes<N>::Float narrow(typename Lanes<N>::Float x, at::ScalarType dtype) {
    if (dtype == at::kHalf) return narrow_to_half<N>(x);
    if (dtype == at::kBFloat16) return Lanes<N>::template narrow<uint16_t>(x);
    return x;
}

/// N groups at once, one in each lane: what is computed once for a group takes as long as one of its vectors.
template <int N>
struct Groups {
    using L = Lanes<N>;
    using Float = typename L::Float;

    int64_t first, count;  ///< count: at most N; the other lanes hold empty groups
    Float scale, low, high;
    Float min, max;         ///< the shrunken ranges
    typename L::Int passes_gradient;  ///< not where the scale was held at its threshold

    CALIBENCH_INLINE Groups(const Parameters& p, int64_t begin, int64_t end) : first(begin), count(end - begin < N ? end - begin : N) {
        min = L::load(p.range_min + first, count) * L::load(p.min_scale + first, count);
        max = L::load(p.range_max + first, count) * L::load(p.max_scale + first, count);
        const Float threshold = narrow<N>(L::broadcast(p.scale_threshold), p.scale_dtype), zero = {};
        if (p.symmetric) {
            const Float largest = max < -min ? -min : -max;
            const Float exact = narrow<N>(largest / p.levels, p.scale_dtype), magnitude = exact < zero ? -exact : exact;
            passes_gradient = magnitude >= threshold;
            scale = passes_gradient ? exact : exact < zero ? -threshold : threshold;
            low = L::broadcast(-p.levels);
            high = L::broadcast(p.levels - 1);
        } else {
            const Float exact = narrow<N>((max - min) / p.levels, p.scale_dtype);
            passes_gradient = exact >= threshold;
            scale = passes_gradient ? exact : threshold;
            const Float zero_point = L::round(-min / scale);
            low = -zero_point;
            high = p.levels - zero_point;
        }
    }

    [[nodiscard]] CALIBENCH_INLINE Grid grid(int64_t i) const { return {scale[i], low[i], high[i]}; }

    /// Autograd's path from the groups' sums to min_scale and max_scale, narrow roundings of the scale's gradient included.
    CALIBENCH_INLINE void step_scales(const Parameters& p, Float by_value, Float by_ratio, Float outside) const {
        const auto narrowed = [&](Float x) __attribute__((always_inline)) { return narrow<N>(x, p.scale_dtype); };
        Float by_scale = narrowed(narrowed(by_value) + narrowed(-by_ratio));
        Float by_min, by_max;
        const Float zero = {};
        if (p.symmetric) {
            const Float min_abs = -min, by_largest = (passes_gradient ? by_scale : zero) / p.levels;
            const Float signed_by_largest = max < min_abs ? by_largest : -by_largest;
            by_min = max <= min_abs ? -signed_by_largest : zero;  // equal ends share it; only the sign counts
            by_max = max >= min_abs ? signed_by_largest : zero;
        } else {
            // zp = round(-min / scale) moves what the clamp holds at its bounds.
            const Float by_zero_point = -outside;
            by_scale = narrowed(by_scale + narrowed(by_zero_point * (min / scale) / scale));
            by_max = (passes_gradient ? by_scale : zero) / p.levels;
            by_min = -by_max - by_zero_point / scale;
        }
        const auto step = [&](float* parameter, Float gradient) __attribute__((always_inline)) {
            const Float stepped = L::load(parameter + first, count) - p.step.minmax_rate * L::sign(gradient);
            const Float floor = stepped > zero ? stepped : zero;  // of NaN too
            L::store(parameter + first, floor < p.step.most_scale ? floor : L::broadcast(p.step.most_scale), count);
        };
        step(p.min_scale, by_min * L::load(p.range_min + first, count));
        step(p.max_scale, by_max * L::load(p.range_max + first, count));
    }
};

template <int N, typename T>
CALIBENCH_INLINE void quantize_vector(const T* weight, const float* v, T* qdq, const Grid& grid) {
    using L = Lanes<N>;
    const auto scale = L::broadcast(grid.scale), low = L::broadcast(grid.low), high = L::broadcast(grid.high);
    // Clamping to one step beyond the bounds first keeps the rounding trick inside its domain and changes no result.
    const auto x = L::clamp(L::load(weight) / scale + L::load(v), low - 1.0f, high + 1.0f);
    L::store(qdq, scale * L::clamp(L::round(x), low, high));
}

template <int N>
struct VectorSums {
    typename Lanes<N>::Float by_value = {}, by_ratio = {}, outside = {};
};

template <int N, typename T>
CALIBENCH_INLINE void step_vector(const T* weight, const float* v, float* v_next, const T* grad, const Grid& grid, float rate,
                                  VectorSums<N>& sums) {
    using L = Lanes<N>;
    const auto scale = L::broadcast(grid.scale), low = L::broadcast(grid.low), high = L::broadcast(grid.high);
    const auto zero = L::broadcast(0.0f);
    const auto ratio = L::load(weight) / scale;
    const auto offset = L::load(v);
    const auto rounded = L::round(L::clamp(ratio + offset, low - 1.0f, high + 1.0f));
    const auto q = L::clamp(rounded, low, high);
    const auto g = L::load(grad);
    const auto by_q = g * scale;
    const auto inside = rounded == q;  // the clamp cuts the gradient of what it moved
    const auto by_v = inside ? by_q : zero;
    sums.by_value += g * q;
    sums.by_ratio += inside ? g * ratio : zero;
    sums.outside += inside ? zero : by_q;
    L::store(v_next, offset - rate * L::sign(by_v));
}

/// The rest of a group that fills no vector, padded with zeros: those quantize to zero and add nothing.
template <int N, typename T>
struct Rest {
    T weight[N] = {}, other[N] = {};
    float v[N] = {};
    CALIBENCH_INLINE Rest(const T* from_weight, const float* from_v, int64_t count) {
        std::memcpy(weight, from_weight, static_cast<size_t>(count) * sizeof(T));
        std::memcpy(v, from_v, static_cast<size_t>(count) * sizeof(float));
    }
};

template <int N, typename T>
CALIBENCH_INLINE void quantize_group(const Parameters& p, int64_t group, const Grid& grid, const float* v) {
    const T* weight = static_cast<const T*>(p.weight) + group * p.group_size;
    T* qdq = static_cast<T*>(p.qdq) + group * p.group_size;
    int64_t i = 0;
    for (; i + N <= p.group_size; i += N) quantize_vector<N>(weight + i, v + i, qdq + i, grid);
    if (const int64_t count = p.group_size - i) {
        Rest<N, T> rest(weight + i, v + i, count);
        quantize_vector<N>(rest.weight, rest.v, rest.other, grid);
        std::memcpy(qdq + i, rest.other, static_cast<size_t>(count) * sizeof(T));
    }
}

template <int N, typename T>
CALIBENCH_INLINE GroupSums step_group(const Parameters& p, int64_t group, const Grid& grid) {
    constexpr int64_t kVectorsPerFlush = 256;  // float32 sums stay short, whatever the group's size
    const int64_t begin = group * p.group_size;
    const T* weight = static_cast<const T*>(p.weight) + begin;
    const T* grad = static_cast<const T*>(p.grad) + begin;
    const float* v = p.v + begin;
    float* v_next = p.v_next + begin;
    GroupSums total;
    int64_t i = 0;
    while (i < p.group_size) {
        VectorSums<N> sums;
        const int64_t stop = std::min(p.group_size, i + kVectorsPerFlush * N);
        for (; i + N <= stop; i += N) {
            step_vector<N>(weight + i, v + i, v_next + i, grad + i, grid, p.step.rate, sums);
        }
        if (i < stop) {
            const int64_t count = stop - i;
            Rest<N, T> rest(weight + i, v + i, count);
            std::memcpy(rest.other, grad + i, static_cast<size_t>(count) * sizeof(T));
            step_vector<N>(rest.weight, rest.v, rest.v, rest.other, grid, p.step.rate, sums);
            std::memcpy(v_next + i, rest.v, static_cast<size_t>(count) * sizeof(float));
            i = stop;
        }
        total.by_value += Lanes<N>::sum(sums.by_value);
        total.by_ratio += Lanes<N>::sum(sums.by_ratio);
        total.outside += Lanes<N>::sum(sums.outside);
    }
    return total;
}

template <int N, typename T>
CALIBENCH_INLINE void quantize_groups(const Parameters& p, int64_t begin, int64_t end, const float* v) {
    const Groups<N> groups(p, begin, end);
    for (int64_t i = 0; i < groups.count; ++i) quantize_group<N, T>(p, begin + i, groups.grid(i), v + (begin + i) * p.group_size);
}

template <int N, typename T>
CALIBENCH_INLINE void forward_groups(const Parameters& p, int64_t begin, int64_t end) {
    for (; begin < end; begin += N) quantize_groups<N, T>(p, begin, end, p.v);
}

template <int N, typename T>
CALIBENCH_INLINE void step_groups(const Parameters& p, int64_t begin, int64_t end) {
    for (; begin < end; begin += N) {
        const Groups<N> groups(p, begin, end);
        float by_value[N] = {}, by_ratio[N] = {}, outside[N] = {};
        for (int64_t i = 0; i < groups.count; ++i) {
            const GroupSums sums = step_group<N, T>(p, begin + i, groups.grid(i));
            by_value[i] = static_cast<float>(sums.by_value);
            by_ratio[i] = static_cast<float>(sums.by_ratio);
            outside[i] = static_cast<float>(sums.outside);
        }
        using L = Lanes<N>;
        if (p.step.minmax_rate != 0) groups.step_scales(p, L::load(by_value), L::load(by_ratio), L::load(outside));
        quantize_groups<N, T>(p, begin, end, p.v_next);  // while they are still in the cache
    }
}

using Loop = void (*)(const Parameters&, int64_t begin, int64_t end);

struct Loops {
    Loop forward, step;
};

template <typename T>
CALIBENCH_TARGET_AVX512 void forward_avx512(const Parameters& p, int64_t begin, int64_t end) { forward_groups<16, T>(p, begin, end); }
template <typename T>
CALIBENCH_TARGET_AVX512 void step_avx512(const Parameters& p, int64_t begin, int64_t end) { step_groups<16, T>(p, begin, end); }
template <typename T>
CALIBENCH_TARGET_AVX2 void forward_avx2(const Parameters& p, int64_t begin, int64_t end) { forward_groups<8, T>(p, begin, end); }
template <typename T>
CALIBENCH_TARGET_AVX2 void step_avx2(const Parameters& p, int64_t begin, int64_t end) { step_groups<8, T>(p, begin, end); }
template <typename T>
void forward_baseline(const Parameters& p, int64_t begin, int64_t end) { forward_groups<4, T>(p, begin, end); }
template <typename T>
void step_baseline(const Parameters& p, int64_t begin, int64_t end) { step_groups<4, T>(p, begin, end); }

template <typename T>
Loops loops() {
    switch (lanes::instruction_set()) {
        case InstructionSet::Avx512: return {forward_avx512<T>, step_avx512<T>};
        case InstructionSet::Avx2: return {forward_avx2<T>, step_avx2<T>};
        case InstructionSet::Baseline: break;
    }
    return {forward_baseline<T>, step_baseline<T>};
}

Loops loops_for(at::ScalarType dtype) { return dtype == at::kBFloat16 ? loops<uint16_t>() : loops<float>(); }

Parameters parameters_of(QdqWeight& weight, const at::Tensor& v) {
    Parameters p{};
    p.weight = weight.weight.const_data_ptr();
    p.qdq = weight.qdq.mutable_data_ptr();
    p.v = v.const_data_ptr<float>();
    p.range_min = weight.range_min.const_data_ptr<float>();
    p.range_max = weight.range_max.const_data_ptr<float>();
    p.min_scale = weight.min_scale.mutable_data_ptr<float>();
    p.max_scale = weight.max_scale.mutable_data_ptr<float>();
    p.group_size = weight.group_size;
    p.levels = weight.symmetric ? std::ldexp(1.0f, weight.bits - 1) : std::ldexp(1.0f, weight.bits) - 1;
    p.symmetric = weight.symmetric;
    p.scale_dtype = weight.scale_dtype;
    p.scale_threshold = weight.scale_threshold;
    return p;
}

void run(Loop loop, const Parameters& p, int64_t groups) {
    constexpr int64_t kElementsPerTask = 32768;  // below this a thread is not worth waking
    const int64_t grain = std::max<int64_t>(1, kElementsPerTask / p.group_size);
    parallel_for(groups, grain, [&](int64_t begin, int64_t end) { loop(p, begin, end); });
}

void forward(QdqWeight& weight, const at::Tensor& v) {
    run(loops_for(weight.weight.scalar_type()).forward, parameters_of(weight, v), weight.range_min.numel());
}

void step(QdqWeight& weight, const at::Tensor& v, at::Tensor& v_next, const at::Tensor& grad_qdq, QdqStep step) {
    Parameters p = parameters_of(weight, v);
    p.v_next = v_next.mutable_data_ptr<float>();
    p.grad = grad_qdq.const_data_ptr();
    p.step = step;
    run(loops_for(weight.weight.scalar_type()).step, p, weight.range_min.numel());
}

}  // namespace

const QdqKernels qdq_kernels{forward, step};

}  // namespace calibench::cpu
