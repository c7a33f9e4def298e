#include "core/kernels/cpu/group_rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <ATen/ATen.h>

#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {

namespace {

using lanes::Lanes;

constexpr int64_t piece_size = 4096;      // a run is worked on in pieces, so that a long one has work for every thread
constexpr int64_t pieces_per_task = 8;
constexpr int64_t ranges_per_task = 1 << 14;

struct RoundingLoop {
    const void* in;
    void* out;
    const float* scale;
    const float* reciprocal;  ///< of the scales; null: divide
    const float* zero_point;  ///< null: none
    int64_t run, pieces_per_run;
    float low, high;
};

template <int N, typename T, bool has_zero_point>
struct Rounding {
    using L = Lanes<N>;
    using Float = typename L::Float;
    Float scale, reciprocal, zero_point, low, high;
    bool divides;

    /// A quotient of two bfloat16 has 8 bits each above and below: it is the middle between two bfloat16, or a 2^17th of itself away from any.
    /// So a product with the reciprocal, wrong by a 2^22nd, is the right quotient to 20 bits, and these round as the quotient does.
    CALIBENCH_INLINE Float quotient(Float x) const {
        if (divides) return x / scale;
        using Uint = typename L::Uint;
        return reinterpret_cast<Float>((reinterpret_cast<Uint>(x * reciprocal) + 8u) & ~15u);
    }
    CALIBENCH_INLINE Float level(Float x) const {
        Float level = L::template narrow<T>(quotient(x));
        if (has_zero_point) level = L::template narrow<T>(level + zero_point);
        level = L::clamp(level, low, high);
        // What rounds to zero keeps its sign.
        using Uint = typename L::Uint;
        return reinterpret_cast<Float>(reinterpret_cast<Uint>(L::round(level)) | (reinterpret_cast<Uint>(level) & 0x80000000u));
    }
    CALIBENCH_INLINE Float value(Float level) const {
        return has_zero_point ? L::template narrow<T>(level - zero_point) * scale : level * scale;
    }
};

/// Calls operation(rounding, in, out, count) for every piece of [begin, end).
template <int N, typename T, bool has_zero_point, typename In, typename Out, typename Operation>
CALIBENCH_INLINE void for_each_piece(const RoundingLoop& loop, int64_t begin, int64_t end, const Operation& operation) {
    using L = Lanes<N>;
    int64_t run = begin / loop.pieces_per_run, offset = begin % loop.pieces_per_run * piece_size;
    for (int64_t piece = begin; piece < end; ++piece, offset += piece_size) {
        if (offset >= loop.run) {
            ++run;
            offset = 0;
        }
        const int64_t first = run * loop.run + offset, count = std::min(piece_size, loop.run - offset);
        const bool divides = std::is_same_v<T, float> || loop.reciprocal == nullptr;
        const Rounding<N, T, has_zero_point> rounding{
            L::broadcast(loop.scale[run]), L::broadcast(divides ? 0.0f : loop.reciprocal[run]), L::broadcast(has_zero_point ? loop.zero_point[run] : 0.0f),
            L::broadcast(loop.low),        L::broadcast(loop.high),                             divides};
        const In* in = static_cast<const In*>(loop.in) + first;
        Out* out = static_cast<Out*>(loop.out) + first;
        int64_t i = 0;
        for (; i + N <= count; i += N) L::store(out + i, operation(rounding, L::load(in + i)));
        if (i < count) L::store(out + i, operation(rounding, L::load(in + i, count - i)), count - i);
    }
}

template <int N, typename T>
CALIBENCH_INLINE void quantize_pieces(const RoundingLoop& loop, int64_t begin, int64_t end) {
    const auto level = [](const auto& rounding, auto x) __attribute__((always_inline)) { return rounding.level(x); };
    if (loop.zero_point) for_each_piece<N, T, true, T, int8_t>(loop, begin, end, level);
    else for_each_piece<N, T, false, T, int8_t>(loop, begin, end, level);
}

template <int N, typename T>
CALIBENCH_INLINE void dequantize_pieces(const RoundingLoop& loop, int64_t begin, int64_t end) {
    const auto value = [](const auto& rounding, auto level) __attribute__((always_inline)) { return rounding.value(level); };
    if (loop.zero_point) for_each_piece<N, T, true, int8_t, T>(loop, begin, end, value);
    else for_each_piece<N, T, false, int8_t, T>(loop, begin, end, value);
}

template <int N, typename T>
CALIBENCH_INLINE void fake_quantize_pieces(const RoundingLoop& loop, int64_t begin, int64_t end) {
    const auto both = [](const auto& rounding, auto x) __attribute__((always_inline)) { return rounding.value(rounding.level(x)); };
    if (loop.zero_point) for_each_piece<N, T, true, T, T>(loop, begin, end, both);
    else for_each_piece<N, T, false, T, T>(loop, begin, end, both);
}

CALIBENCH_LOOP(quantize_loop, quantize_pieces, RoundingLoop)
CALIBENCH_LOOP(dequantize_loop, dequantize_pieces, RoundingLoop)
CALIBENCH_LOOP(fake_quantize_loop, fake_quantize_pieces, RoundingLoop)

using Loop = void (*)(const RoundingLoop&, int64_t begin, int64_t end);

/// For quotients that need no division, which takes longer than all the rest; undefined where they do: for float32, and for scales near
/// the ends of what it holds.
at::Tensor reciprocals(const at::Tensor& scale, at::ScalarType dtype) {
    constexpr float least = 0x1p-100f, most = 0x1p100f;
    if (dtype != at::kBFloat16) return {};
    at::Tensor reciprocal = at::empty_like(scale);
    const float* from = scale.const_data_ptr<float>();
    float* to = reciprocal.mutable_data_ptr<float>();
    bool usual = true;
    for (int64_t i = 0; i < scale.numel(); ++i) {
        usual = usual & (std::abs(from[i]) >= least) & (std::abs(from[i]) <= most);
        to[i] = 1.0f / from[i];
    }
    return usual ? reciprocal : at::Tensor();
}

at::Tensor run(Loop of_floats, Loop of_bfloat16, const at::Tensor& in, at::ScalarType out_dtype, const RunScales& scales, IntegerLevels levels) {
    const at::ScalarType dtype = scales.scale.scalar_type();
    const at::Tensor from = in.contiguous(), scale = scales.scale.to(at::kFloat).contiguous();
    const at::Tensor zero_point = scales.zero_point.defined() ? scales.zero_point.to(dtype).to(at::kFloat).contiguous() : at::Tensor();
    at::Tensor out = at::empty(in.sizes(), in.options().dtype(out_dtype));
    if (in.numel() == 0) return out;

    const at::Tensor reciprocal = reciprocals(scale, in.scalar_type());
    RoundingLoop loop{from.const_data_ptr(), out.mutable_data_ptr(), scale.const_data_ptr<float>(),
                      reciprocal.defined() ? reciprocal.const_data_ptr<float>() : nullptr, zero_point.defined() ? zero_point.const_data_ptr<float>() : nullptr, in.numel() / scale.numel(), 0,
                      levels.low, levels.high};
    loop.pieces_per_run = (loop.run + piece_size - 1) / piece_size;
    const Loop body = dtype == at::kFloat ? of_floats : of_bfloat16;
    const int64_t grain = std::max<int64_t>(1, pieces_per_task * piece_size / std::min(loop.run, piece_size));
    parallel_for(scale.numel() * loop.pieces_per_run, grain, [&](int64_t begin, int64_t end) { body(loop, begin, end); });
    return out;
}

struct ScaleLoop {
    const void* min;
    const void* max;
    void* scale;
    int8_t* zero_point;
    float low, high;
    float divisor;  ///< of the largest magnitude (symmetric) or of max - min
    float least;    ///< instead of a zero scale
    bool symmetric;
};

template <int N, typename T>
CALIBENCH_INLINE void scale_ranges(const ScaleLoop& loop, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    using Float = typename L::Float;
    const Float zero = {}, low = L::broadcast(loop.low), high = L::broadcast(loop.high);
    for (int64_t i = begin; i < end; i += N) {
        const Float min = L::load(static_cast<const T*>(loop.min) + i, end - i), max = L::load(static_cast<const T*>(loop.max) + i, end - i);
        const Float bottom = min < zero ? min : zero, top = max > zero ? max : zero;  // zero must always be representable
        const Float extent = loop.symmetric ? (-bottom > top ? -bottom : top) : L::template narrow<T>(top - bottom);
        const Float scale = L::template narrow<T>(extent / loop.divisor);
        Float zero_point = zero;
        if (!loop.symmetric) {
            zero_point = L::clamp(L::template narrow<T>(low - L::template narrow<T>(bottom / scale)), low, high);
            zero_point = zero_point == zero_point ? L::round(zero_point) : zero;  // of an empty range
        }
        L::store(static_cast<T*>(loop.scale) + i, scale == zero ? L::broadcast(loop.least) : scale, end - i);
        L::store(loop.zero_point + i, zero_point, end - i);
    }
}

CALIBENCH_LOOP(scale_loop, scale_ranges, ScaleLoop)

/// What is a tensor of the dtype loses its last places.
float in_dtype(float value, at::ScalarType dtype) { return dtype == at::kBFloat16 ? static_cast<float>(c10::BFloat16(value)) : value; }

}  // namespace

RunScales scales_of_ranges(const at::Tensor& min, const at::Tensor& max, IntegerLevels levels, bool symmetric) {
    const at::ScalarType dtype = min.scalar_type();
    const at::Tensor mins = min.contiguous(), maxs = max.contiguous();
    const RunScales scales{at::empty(min.sizes(), min.options()), at::empty(min.sizes(), min.options().dtype(at::kChar))};
    const float range = in_dtype(levels.high - levels.low, dtype);
    const float epsilon = dtype == at::kBFloat16 ? static_cast<float>(std::numeric_limits<c10::BFloat16>::epsilon())
                                                 : std::numeric_limits<float>::epsilon();
    const ScaleLoop loop{mins.const_data_ptr(), maxs.const_data_ptr(), scales.scale.mutable_data_ptr(), scales.zero_point.mutable_data_ptr<int8_t>(),
                         levels.low, levels.high, symmetric ? in_dtype(range / 2, dtype) : range, epsilon, symmetric};
    parallel_for(mins.numel(), ranges_per_task, [&](int64_t begin, int64_t end) {
        dtype == at::kFloat ? scale_loop<float>(loop, begin, end) : scale_loop<uint16_t>(loop, begin, end);
    });
    return scales;
}

bool has_rounding_loop(const at::Tensor& values, const RunScales& scales) {
    const at::ScalarType dtype = scales.scale.scalar_type();
    const bool fits = scales.scale.numel() > 0 && values.numel() % scales.scale.numel() == 0 &&
                      (!scales.zero_point.defined() || scales.zero_point.numel() == scales.scale.numel());
    return fits && values.device().is_cpu() && scales.scale.device().is_cpu() && (dtype == at::kFloat || dtype == at::kBFloat16) &&
           (values.scalar_type() == dtype || values.scalar_type() == at::kChar);
}

at::Tensor quantize_runs(const at::Tensor& values, const RunScales& scales, IntegerLevels levels) {
    return run(quantize_loop<float>, quantize_loop<uint16_t>, values, at::kChar, scales, levels);
}

at::Tensor dequantize_runs(const at::Tensor& levels, const RunScales& scales) {
    return run(dequantize_loop<float>, dequantize_loop<uint16_t>, levels, scales.scale.scalar_type(), scales, {});
}

at::Tensor fake_quantize_runs(const at::Tensor& values, const RunScales& scales, IntegerLevels levels) {
    return run(fake_quantize_loop<float>, fake_quantize_loop<uint16_t>, values, values.scalar_type(), scales, levels);
}

}  // namespace calibench
