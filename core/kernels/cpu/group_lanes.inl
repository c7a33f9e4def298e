// Included once per instruction set by group_lanes.cpp, each time inside its own namespace and with CALIBENCH_LANES floats to a
// register. Plain vectors of GCC and Clang; where an instruction has no spelling of its own, an intrinsic.

typedef float Float __attribute__((vector_size(4 * CALIBENCH_LANES)));
typedef uint32_t Uint __attribute__((vector_size(4 * CALIBENCH_LANES)));
typedef int16_t Short __attribute__((vector_size(4 * CALIBENCH_LANES)));
typedef uint16_t Half __attribute__((vector_size(2 * CALIBENCH_LANES)));

constexpr int64_t lanes = CALIBENCH_LANES;

inline Float broadcast(float x) { return x - Float{}; }

inline Float load(const float* from) {
    Float x;
    std::memcpy(&x, from, sizeof x);
    return x;
}

/// bfloat16 is the upper half of a float32.
inline Float load(const BFloat16Bits* from) {
    Half half;
    std::memcpy(&half, from, sizeof half);
    return (Float)(__builtin_convertvector(half, Uint) << 16);
}

inline float widen(BFloat16Bits x) {
    const uint32_t bits = uint32_t(x.bits) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline void widen_run(const BFloat16Bits* x, int64_t size, float* out) {
    int64_t i = 0;
    for (; i + lanes <= size; i += lanes) {
        const Float value = load(x + i);
        std::memcpy(out + i, &value, sizeof value);
    }
    for (; i < size; ++i) out[i] = widen(x[i]);
}

/// x[lane ^ distance]: what a lane's partner holds.
inline Float swap_lanes(Float x, uint32_t distance) {
#if !defined(__clang__)
    Uint partner;
    for (uint32_t lane = 0; lane < CALIBENCH_LANES; ++lane) partner[lane] = lane ^ distance;
    return __builtin_shuffle(x, partner);
#else
    Float swapped;
    for (uint32_t lane = 0; lane < CALIBENCH_LANES; ++lane) swapped[lane] = x[lane ^ distance];
    return swapped;
#endif
}

/// In the order of the processor's own instructions: of two unordered values, the second.
inline Float least(Float a, Float b) { return a < b ? a : b; }
inline Float greatest(Float a, Float b) {
#if CALIBENCH_LANES == 16
    return _mm512_maskz_max_ps(0xffff, a, b);  // GCC 12 warns of the plain one
#elif CALIBENCH_LANES == 8
    return _mm256_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}

inline float sum_of_lanes(Float x) {
#pragma GCC unroll 4
    for (uint32_t distance = CALIBENCH_LANES / 2; distance > 0; distance /= 2) x += swap_lanes(x, distance);
    return x[0];
}
inline float least_lane(Float x) {
#pragma GCC unroll 4
    for (uint32_t distance = CALIBENCH_LANES / 2; distance > 0; distance /= 2) x = least(x, swap_lanes(x, distance));
    return x[0];
}
inline float greatest_lane(Float x) {
#pragma GCC unroll 4
    for (uint32_t distance = CALIBENCH_LANES / 2; distance > 0; distance /= 2) x = greatest(x, swap_lanes(x, distance));
    return x[0];
}

// ---- min and max

/// One run, NaN lost. What was NaN or infinite makes `check` NaN or infinite.
inline void range_of_run(const float* x, int64_t size, float& min, float& max, Float& check) {
    int64_t i = 0;
    if (size >= lanes) {
        Float lows = load(x), highs = lows;
        check += lows;
        for (i = lanes; i + lanes <= size; i += lanes) {
            const Float value = load(x + i);
            lows = least(lows, value);
            highs = greatest(highs, value);
            check += value;
        }
        const float low = least_lane(lows), high = greatest_lane(highs);
        min = low < min ? low : min;
        max = high > max ? high : max;
    }
    for (; i < size; ++i) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        check[0] += x[i];
    }
}

inline void range_f32(const float* x, int64_t runs, int64_t size, bool extend, float* min, float* max) {
    constexpr int64_t block = 256;  // runs between two looks at the sum that tells of NaN
    for (int64_t first = 0; first < runs; first += block) {
        const int64_t last = first + block < runs ? first + block : runs;
        Float check = {};
        for (int64_t run = first; run < last; ++run) {
            float low = __builtin_inff(), high = -__builtin_inff();
            range_of_run(x + run * size, size, low, high, check);
            min[run] = extend && !(low < min[run]) ? min[run] : low;  // what is NaN stays NaN
            max[run] = extend && !(high > max[run]) ? max[run] : high;
        }
        const float total = sum_of_lanes(check);
        if (total - total == 0) continue;  // neither NaN nor infinite
        for (int64_t run = first; run < last; ++run) {
            bool has_nan = false;
            for (int64_t i = 0; i < size; ++i) has_nan |= x[run * size + i] != x[run * size + i];
            if (has_nan) min[run] = max[run] = __builtin_nanf("");
        }
    }
}

/// bfloat16 bits as whole numbers in the order of their values, NaN beyond infinity at both ends; and back.
inline Short ordered(Short bits) { return bits ^ ((bits >> 15) & 0x7fff); }
inline int16_t ordered(int16_t bits) { return int16_t(bits ^ ((bits >> 15) & 0x7fff)); }

inline Short least(Short a, Short b) { return a < b ? a : b; }
inline Short greatest(Short a, Short b) { return a > b ? a : b; }

/// Extremes of parts of a register, `part` floats wide: they end in the first two halves of each.
template <uint32_t part>
inline void fold(Short& lows, Short& highs) {
#pragma GCC unroll 4
    for (uint32_t distance = part / 2; distance > 0; distance /= 2) {
        lows = least(lows, (Short)swap_lanes((Float)lows, distance));
        highs = greatest(highs, (Short)swap_lanes((Float)highs, distance));
    }
}

inline void set_range(int16_t low, int16_t high, BFloat16Bits& min, BFloat16Bits& max) {
    constexpr int16_t infinity = 0x7f80, nan = 0x7fc0;
    const bool has_nan = high > infinity || low < ordered(int16_t(0xff80));
    min.bits = uint16_t(has_nan ? nan : ordered(low));
    max.bits = uint16_t(has_nan ? nan : ordered(high));
}

/// Runs of half a register each, two at a time; how many there were.
inline int64_t range_bf16_pairs(const BFloat16Bits* x, int64_t runs, bool extend, BFloat16Bits* min, BFloat16Bits* max) {
    int64_t run = 0;
    for (; run + 2 <= runs; run += 2, x += 2 * lanes) {
        Short lows, highs;
        std::memcpy(&lows, x, sizeof lows);
        lows = highs = ordered(lows);
        fold<CALIBENCH_LANES / 2>(lows, highs);
        for (int64_t i = 0; i < 2; ++i) {
            const auto at = i * lanes;
            int16_t low = lows[at] < lows[at + 1] ? lows[at] : lows[at + 1], high = highs[at] > highs[at + 1] ? highs[at] : highs[at + 1];
            if (extend) {
                const int16_t past_low = ordered(int16_t(min[run + i].bits)), past_high = ordered(int16_t(max[run + i].bits));
                low = past_low < low ? past_low : low;
                high = past_high > high ? past_high : high;
            }
            set_range(low, high, min[run + i], max[run + i]);
        }
    }
    return run;
}

inline void range_bf16(const BFloat16Bits* x, int64_t runs, int64_t size, bool extend, BFloat16Bits* min, BFloat16Bits* max) {
    int64_t run = size == lanes ? range_bf16_pairs(x, runs, extend, min, max) : 0;
    for (x += run * size; run < runs; ++run, x += size) {
        int16_t low = extend ? ordered(int16_t(min[run].bits)) : 0x7fff;
        int16_t high = extend ? ordered(int16_t(max[run].bits)) : -0x8000;
        int64_t i = 0;
        if (size >= 2 * lanes) {
            Short lows, highs;
            std::memcpy(&lows, x, sizeof lows);
            lows = highs = ordered(lows);
            for (i = 2 * lanes; i + 2 * lanes <= size; i += 2 * lanes) {
                Short values;
                std::memcpy(&values, x + i, sizeof values);
                values = ordered(values);
                lows = least(lows, values);
                highs = greatest(highs, values);
            }
            fold<CALIBENCH_LANES>(lows, highs);
            for (int half = 0; half < 2; ++half) {
                low = lows[half] < low ? lows[half] : low;
                high = highs[half] > high ? highs[half] : high;
            }
        }
        for (; i < size; ++i) {
            const int16_t value = ordered(int16_t(x[i].bits));
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        set_range(low, high, min[run], max[run]);
    }
}

// ---- quantization errors

inline Float multiply_add(Float a, Float b, Float c) {
#if CALIBENCH_LANES == 16
    return _mm512_fmadd_ps(a, b, c);
#elif CALIBENCH_LANES == 8
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

inline Float look_up(const float* table, Uint index) {
#if CALIBENCH_LANES == 16
    return _mm512_mask_i32gather_ps(Float{}, 0xffff, (__m512i)index, table, 4);
#elif CALIBENCH_LANES == 8
    return _mm256_i32gather_ps(table, (__m256i)index, 4);
#else
    Float found;
    for (int lane = 0; lane < CALIBENCH_LANES; ++lane) found[lane] = table[index[lane]];
    return found;
#endif
}

/// To the nearest float of so many mantissa bits, ties to even: adding and taking away 1.5 * 2^23 times the last place wanted
/// leaves the rest to the processor's own rounding. normal: the power of two below which numbers are subnormal.
inline Float round_to_mantissa(Float x, Float normal, Float magic_factor) {
    const Float magic = greatest((Float)((Uint)x & 0x7f800000u), normal) * magic_factor;
    return (x + magic) - magic;
}

/// For |x| < 2^22.
inline Float round_to_integer(Float x) {
    const Float magic = broadcast(0x1.8p23f);
    return (x + magic) - magic;
}

inline Float round_to(std::integral_constant<Rounding, Rounding::Float32>, Float x) { return x; }

inline Float round_to(std::integral_constant<Rounding, Rounding::BFloat16>, Float x) {
    const Uint bits = (Uint)x;
    return (Float)((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

inline Float round_to(std::integral_constant<Rounding, Rounding::Float16>, Float x) {
    const Float rounded = round_to_mantissa(x, broadcast(0x1p-14f), broadcast(0x1.8p13f));
    const Float infinity = broadcast(__builtin_inff());
    return rounded > broadcast(65504.0f) ? infinity : rounded < broadcast(-65504.0f) ? -infinity : rounded;
}

template <Rounding rounding>
void scales_of_candidates(const ScaleRule& rule, float min, float max, const float* factors, float* scales, float* zero_points) {
    constexpr std::integral_constant<Rounding, rounding> to_format;
    const Float zero = {}, low = broadcast(rule.low), high = broadcast(rule.high), divisor = broadcast(rule.divisor);
    for (int candidate = 0; candidate < 16; candidate += CALIBENCH_LANES) {
        const Float factor = load(factors + candidate);
        const Float bottom = least(round_to(to_format, broadcast(min) * factor), zero);
        const Float top = greatest(round_to(to_format, broadcast(max) * factor), zero);
        const Float extent = rule.is_symmetric ? greatest(zero - bottom, top) : round_to(to_format, top - bottom);
        Float scale = round_to(to_format, extent / divisor);
        Float zero_point = {};
        if (!rule.is_symmetric) {
            zero_point = round_to(to_format, low - round_to(to_format, bottom / scale));
            zero_point = least(greatest(zero_point, low), high);
            zero_point = zero_point == zero_point ? round_to_integer(zero_point) : zero;  // of an empty range
        }
        scale = scale == zero ? broadcast(rule.least) : scale;
        std::memcpy(scales + candidate, &scale, sizeof scale);
        std::memcpy(zero_points + candidate, &zero_point, sizeof zero_point);
    }
}

inline void candidate_scales(const ScaleRule& rule, float min, float max, const float* factors, float* scales, float* zero_points) {
    switch (rule.rounding) {
        case Rounding::Float32: return scales_of_candidates<Rounding::Float32>(rule, min, max, factors, scales, zero_points);
        case Rounding::BFloat16: return scales_of_candidates<Rounding::BFloat16>(rule, min, max, factors, scales, zero_points);
        case Rounding::Float16: return scales_of_candidates<Rounding::Float16>(rule, min, max, factors, scales, zero_points);
    }
}

template <Rounding rounding, bool float_levels, bool has_zero_point, bool whole_exponent, bool is_weighted>
void add_errors(const ErrorInputs& inputs, const ErrorFormat& format, const PowerTable& power, double* sums) {
    constexpr std::integral_constant<Rounding, rounding> to_format;
    constexpr std::integral_constant<Rounding, is_weighted ? Rounding::Float32 : rounding> to_errors;
    constexpr bool is_tabulated = rounding == Rounding::BFloat16 && !is_weighted;
    const Float low = broadcast(format.low), high = broadcast(format.high);
    const Float normal = broadcast(format.least_normal), magic = broadcast(format.magic_factor);

    Float coefficients[7];
    for (int term = 0; term < 7; ++term) coefficients[term] = broadcast(power.coefficients[term]);

    for (int64_t candidate = 0; candidate < inputs.candidates; ++candidate) {
        const Float scale = broadcast(inputs.scales[candidate * inputs.stride]);
        const Float zero_point = has_zero_point ? broadcast(inputs.zero_points[candidate * inputs.stride]) : Float{};
        Float sum = {};
        for (int64_t i = 0; i < inputs.size; i += lanes) {
            const Float value = load(inputs.values + i);
            Float level = round_to(to_format, value / scale);
            if (has_zero_point) level = round_to(to_format, level + zero_point);
            level = least(greatest(level, low), high);
            level = float_levels ? round_to_mantissa(level, normal, magic) : round_to_integer(level);
            if (has_zero_point) level = round_to(to_format, level - zero_point);
            const Float back = round_to(to_format, level * scale);
            const Uint error = (Uint)round_to(to_errors, back - value) & 0x7fffffffu;

            Float raised;
            if (is_tabulated) {
                raised = look_up(power.of_bfloat16.data(), error >> 16);
            } else if (whole_exponent) {
                raised = (Float)error;
                for (int factor = 1; factor < power.whole_exponent; ++factor) raised = raised * (Float)error;
            } else {
                const Float mantissa = (Float)((error & 0x007fffffu) | 0x3f800000u) - broadcast(1.5f);
                raised = coefficients[6];
#pragma GCC unroll 6
                for (int term = 5; term >= 0; --term) raised = multiply_add(raised, mantissa, coefficients[term]);
                raised = raised * look_up(power.scale_of_exponent, error >> 23);
            }
            if (!is_tabulated) raised = round_to(to_errors, raised);
            sum += is_weighted ? raised * load(inputs.weights + i) : raised;
        }
        sums[candidate] += double(sum_of_lanes(sum));
    }
}

/// Turns the flags of a format into template arguments, one after the other.
template <Rounding rounding, bool... chosen>
ErrorFunction choose_error_function(std::initializer_list<bool> flags) {
    if constexpr (sizeof...(chosen) == 4)
        return add_errors<rounding, chosen...>;
    else
        return flags.begin()[sizeof...(chosen)] ? choose_error_function<rounding, chosen..., true>(flags)
                                                : choose_error_function<rounding, chosen..., false>(flags);
}

inline ErrorFunction error_function(const ErrorFormat& format, const PowerTable& power) {
    const std::initializer_list<bool> flags = {format.float_levels, format.has_zero_point, power.whole_exponent != 0,
                                               format.is_weighted};
    switch (format.rounding) {
        case Rounding::BFloat16: return choose_error_function<Rounding::BFloat16>(flags);
        case Rounding::Float16: return choose_error_function<Rounding::Float16>(flags);
        case Rounding::Float32: break;
    }
    return choose_error_function<Rounding::Float32>(flags);
}

inline GroupLanes make_lanes(const char* name) {
    return {name, widen_run, range_f32, range_bf16, candidate_scales, error_function};
}
