// Included once per instruction set by group_lanes.cpp, each time inside its own namespace and with CALIBENCH_LANES floats to a
// register. Plain vectors of GCC and Clang; where an instruction has no spelling of its own, an intrinsic.

typedef float Float __attribute__((vector_size(4 * CALIBENCH_LANES)));
typedef int32_t Int __attribute__((vector_size(4 * CALIBENCH_LANES)));
typedef uint32_t Uint __attribute__((vector_size(4 * CALIBENCH_LANES)));
typedef uint16_t Half __attribute__((vector_size(2 * CALIBENCH_LANES)));

constexpr int64_t lanes = CALIBENCH_LANES;

inline Float broadcast(float x) { return Float{} + x; }

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

inline float widen(float x) { return x; }
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

// ---- min and max

template <typename T>
void range_of_run(const T* x, int64_t size, float& min, float& max) {
    float low = min, high = max;
    bool has_nan = false;
    int64_t i = 0;
    if (size >= lanes) {
        Float lows = load(x), highs = lows;
        Int unordered = lows != lows;
        for (i = lanes; i + lanes <= size; i += lanes) {
            const Float value = load(x + i);
            lows = value < lows ? value : lows;
            highs = value > highs ? value : highs;
            unordered |= value != value;
        }
        for (int lane = 0; lane < lanes; ++lane) {
            low = lows[lane] < low ? lows[lane] : low;
            high = highs[lane] > high ? highs[lane] : high;
            has_nan |= unordered[lane] != 0;
        }
    }
    for (; i < size; ++i) {
        const float value = widen(x[i]);
        low = value < low ? value : low;
        high = value > high ? value : high;
        has_nan |= value != value;
    }
    min = has_nan ? __builtin_nanf("") : low;
    max = has_nan ? __builtin_nanf("") : high;
}

template <typename T>
void range_of_runs(const T* x, int64_t runs, int64_t size, float* min, float* max) {
    for (int64_t run = 0; run < runs; ++run) range_of_run(x + run * size, size, min[run], max[run]);
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

inline float sum_of_lanes(Float x) {
#if !defined(__clang__)
    for (uint32_t distance = CALIBENCH_LANES / 2; distance > 0; distance /= 2) {
        Uint partner;
        for (uint32_t lane = 0; lane < CALIBENCH_LANES; ++lane) partner[lane] = lane ^ distance;
        x += __builtin_shuffle(x, partner);
    }
    return x[0];
#else
    float sum = 0;
    for (int lane = 0; lane < CALIBENCH_LANES; ++lane) sum += x[lane];
    return sum;
#endif
}

/// To the nearest float of so many mantissa bits, ties to even: adding and taking away 1.5 * 2^23 times the last place wanted
/// leaves the rest to the processor's own rounding. least: the power of two below which numbers are subnormal.
inline Float round_to_mantissa(Float x, Float least, Float magic_factor) {
    const Float power = (Float)((Uint)x & 0x7f800000u);
    const Float magic = (power < least ? least : power) * magic_factor;
    return (x + magic) - magic;
}

inline Float round_to(std::integral_constant<ErrorFormat::Rounding, ErrorFormat::Rounding::Float32>, Float x) { return x; }

inline Float round_to(std::integral_constant<ErrorFormat::Rounding, ErrorFormat::Rounding::BFloat16>, Float x) {
    const Uint bits = (Uint)x;
    return (Float)((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

inline Float round_to(std::integral_constant<ErrorFormat::Rounding, ErrorFormat::Rounding::Float16>, Float x) {
    const Float rounded = round_to_mantissa(x, broadcast(0x1p-14f), broadcast(0x1.8p13f));
    const Float infinity = broadcast(__builtin_inff());
    return rounded > broadcast(65504.0f) ? infinity : rounded < broadcast(-65504.0f) ? -infinity : rounded;
}

template <ErrorFormat::Rounding rounding, bool float_levels, bool has_zero_point, bool whole_exponent, bool is_weighted>
void add_errors(const ErrorInputs& inputs, const ErrorFormat& format, const PowerTable& power, double* sums) {
    constexpr std::integral_constant<ErrorFormat::Rounding, rounding> to_format;
    constexpr std::integral_constant<ErrorFormat::Rounding, is_weighted ? ErrorFormat::Rounding::Float32 : rounding> to_errors;
    const Float low = broadcast(format.low), high = broadcast(format.high);
    const Float least = broadcast(__builtin_ldexpf(1.0f, format.least_exponent));
    const Float magic = broadcast(__builtin_ldexpf(1.5f, float_levels ? 23 - format.mantissa_bits : 23));

    for (int64_t candidate = 0; candidate < inputs.candidates; ++candidate) {
        const Float scale = broadcast(inputs.scales[candidate * inputs.stride]);
        const Float zero_point = has_zero_point ? broadcast(inputs.zero_points[candidate * inputs.stride]) : Float{};
        Float sum = {};
        for (int64_t i = 0; i < inputs.size; i += lanes) {
            const Float value = load(inputs.values + i);
            Float level = round_to(to_format, value / scale);
            if (has_zero_point) level = round_to(to_format, level + zero_point);
            level = low > level ? low : level;
            level = high < level ? high : level;
            level = float_levels ? round_to_mantissa(level, least, magic) : (level + magic) - magic;
            if (has_zero_point) level = round_to(to_format, level - zero_point);
            const Float back = round_to(to_format, level * scale);
            const Uint error = (Uint)round_to(to_errors, back - value) & 0x7fffffffu;

            Float raised;
            if (whole_exponent) {
                raised = (Float)error;
                for (int factor = 1; factor < power.whole_exponent; ++factor) raised = raised * (Float)error;
            } else {
                const Float mantissa = (Float)((error & 0x007fffffu) | 0x3f800000u) - broadcast(1.5f);
                raised = broadcast(power.coefficients[7]);
                for (int term = 6; term >= 0; --term)
                    raised = multiply_add(raised, mantissa, broadcast(power.coefficients[term]));
                raised = raised * look_up(power.scale_of_exponent, error >> 23);
            }
            raised = round_to(to_errors, raised);
            sum += is_weighted ? raised * load(inputs.weights + i) : raised;
        }
        sums[candidate] += double(sum_of_lanes(sum));
    }
}

/// Turns the flags of a format into template arguments, one after the other.
template <ErrorFormat::Rounding rounding, bool... chosen>
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
        case ErrorFormat::Rounding::BFloat16: return choose_error_function<ErrorFormat::Rounding::BFloat16>(flags);
        case ErrorFormat::Rounding::Float16: return choose_error_function<ErrorFormat::Rounding::Float16>(flags);
        case ErrorFormat::Rounding::Float32: break;
    }
    return choose_error_function<ErrorFormat::Rounding::Float32>(flags);
}

inline GroupLanes make_lanes(const char* name) {
    return {name, widen_run, range_of_runs<float>, range_of_runs<BFloat16Bits>, error_function};
}
