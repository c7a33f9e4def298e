#pragma once

#include <cstdint>
#include <cstring>

#define CALIBENCH_INLINE inline __attribute__((always_inline))

namespace calibench::lanes {

// Fixed-width float vectors as GCC and Clang know them on every processor. Everything is force-inlined into functions that are
// compiled once per instruction set, so one source serves AVX-512, AVX2 and the rest.

/// Specialised, not computed from N: GCC reads a dependent vector_size only on instantiation, too late for its builtins.
template <int N>
struct VectorTypes;
template <>
struct VectorTypes<4> {
    typedef float Float __attribute__((vector_size(16)));
    typedef uint32_t Uint __attribute__((vector_size(16)));
    typedef uint16_t Half __attribute__((vector_size(8)));
};
template <>
struct VectorTypes<8> {
    typedef float Float __attribute__((vector_size(32)));
    typedef uint32_t Uint __attribute__((vector_size(32)));
    typedef uint16_t Half __attribute__((vector_size(16)));
};
template <>
struct VectorTypes<16> {
    typedef float Float __attribute__((vector_size(64)));
    typedef uint32_t Uint __attribute__((vector_size(64)));
    typedef uint16_t Half __attribute__((vector_size(32)));
};

template <int N>
struct Lanes {
    using Float = typename VectorTypes<N>::Float;
    using Uint = typename VectorTypes<N>::Uint;
    using Half = typename VectorTypes<N>::Half;

    static CALIBENCH_INLINE Float load(const float* from) {
        Float x;
        std::memcpy(&x, from, sizeof x);
        return x;
    }
    static CALIBENCH_INLINE void store(float* to, Float x) { std::memcpy(to, &x, sizeof x); }

    /// bfloat16 is the upper half of a float32.
    static CALIBENCH_INLINE Float load(const uint16_t* from) {
        Half half;
        std::memcpy(&half, from, sizeof half);
        return reinterpret_cast<Float>(__builtin_convertvector(half, Uint) << 16);
    }
    /// Rounds to nearest even, as c10::BFloat16 does.
    static CALIBENCH_INLINE void store(uint16_t* to, Float x) {
        const Uint bits = reinterpret_cast<Uint>(x);
        const Uint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        const Half half = __builtin_convertvector(rounded, Half);
        std::memcpy(to, &half, sizeof half);
    }

    static CALIBENCH_INLINE Float broadcast(float x) { return Float{} + x; }
    static CALIBENCH_INLINE Float clamp(Float x, Float low, Float high) {
        const Float floor = x < low ? low : x;
        return floor > high ? high : floor;
    }
    /// To nearest, ties to even; right for |x| < 2^22.
    static CALIBENCH_INLINE Float round(Float x) {
        const Float magic = broadcast(12582912.0f);  // 1.5 * 2^23: its last place is one
        return (x + magic) - magic;
    }
    /// 1, 0 or -1; 0 for NaN.
    static CALIBENCH_INLINE Float sign(Float x) {
        const Float zero = {};
        const Float one = broadcast(1.0f);
        return (x > zero ? one : zero) - (x < zero ? one : zero);
    }
    static CALIBENCH_INLINE double sum(Float x) {
        double total = 0;
        for (int i = 0; i < N; ++i) total += static_cast<double>(x[i]);
        return total;
    }
};

/// The instruction sets that code is compiled for, by what LibTorch found (and ATEN_CPU_CAPABILITY may lower).
enum class InstructionSet { Baseline, Avx2, Avx512 };
[[nodiscard]] InstructionSet instruction_set();

}  // namespace calibench::lanes

#if defined(__x86_64__)
#define CALIBENCH_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define CALIBENCH_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define CALIBENCH_TARGET_AVX512
#define CALIBENCH_TARGET_AVX2
#endif
