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
