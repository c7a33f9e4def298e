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
    typedef int32_t Int __attribute__((vector_size(16)));
    typedef int16_t Short __attribute__((vector_size(8)));
    typedef int8_t Byte __attribute__((vector_size(4)));
    typedef double Double __attribute__((vector_size(32)));
};
template <>
struct VectorTypes<8> {
    typedef float Float __attribute__((vector_size(32)));
    typedef uint32_t Uint __attribute__((vector_size(32)));
    typedef uint16_t Half __attribute__((vector_size(16)));
    typedef int32_t Int __attribute__((vector_size(32)));
    typedef int16_t Short __attribute__((vector_size(16)));
    typedef int8_t Byte __attribute__((vector_size(8)));
    typedef double Double __attribute__((vector_size(64)));
};
template <>
struct VectorTypes<16> {
    typedef float Float __attribute__((vector_size(64)));
    typedef uint32_t Uint __attribute__((vector_size(64)));
    typedef uint16_t Half __attribute__((vector_size(32)));
    typedef int32_t Int __attribute__((vector_size(64)));
    typedef int16_t Short __attribute__((vector_size(32)));
    typedef int8_t Byte __attribute__((vector_size(16)));
    typedef double Double __attribute__((vector_size(128)));
};

/// Of all lanes: one half and the other, as long as there are more than four.
template <int N>
CALIBENCH_INLINE double sum(typename VectorTypes<N>::Double x) {
    if constexpr (N == 4) {
        return (x[0] + x[1]) + (x[2] + x[3]);
    } else {
        typename VectorTypes<N / 2>::Double low, high;
        std::memcpy(&low, &x, sizeof low);
        std::memcpy(&high, reinterpret_cast<const char*>(&x) + sizeof low, sizeof high);
        return sum<N / 2>(low + high);
    }
}

template <int N>
struct Lanes {
    using Float = typename VectorTypes<N>::Float;
    using Uint = typename VectorTypes<N>::Uint;
    using Half = typename VectorTypes<N>::Half;
    using Int = typename VectorTypes<N>::Int;
    using Short = typename VectorTypes<N>::Short;
    using Byte = typename VectorTypes<N>::Byte;

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

    /// Step by step: GCC converts between sizes further apart one lane after the other.
    static CALIBENCH_INLINE Float load(const int8_t* from) {
        Byte bytes;
        std::memcpy(&bytes, from, sizeof bytes);
        return __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(bytes, Short), Int), Float);
    }
    /// Whole numbers that fit.
    static CALIBENCH_INLINE void store(int8_t* to, Float x) {
        const Byte bytes = __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(x, Int), Short), Byte);
        std::memcpy(to, &bytes, sizeof bytes);
    }

    /// The same for the end of a row: the first `count` elements, at most N; the lanes behind them are zero, and stay unwritten.
    template <typename T>
    static CALIBENCH_INLINE Float load(const T* from, int64_t count) {
        if (count >= N) return load(from);
        T padded[N] = {};
        std::memcpy(padded, from, static_cast<size_t>(count) * sizeof(T));
        return load(padded);
    }
    template <typename T>
    static CALIBENCH_INLINE void store(T* to, Float x, int64_t count) {
        if (count >= N) return store(to, x);
        T padded[N];
        store(padded, x);
        std::memcpy(to, padded, static_cast<size_t>(count) * sizeof(T));
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
    /// What storing as T and loading again gives.
    template <typename T>
    static CALIBENCH_INLINE Float narrow(Float x) {
        if constexpr (sizeof(T) == sizeof(float)) return x;
        const Uint bits = reinterpret_cast<Uint>(x);
        return reinterpret_cast<Float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
    }
    /// e^x within 2 units in the last place; below -87 it stays at e^-87, above 88 at e^88. NaN stays NaN.
    static CALIBENCH_INLINE Float exp(Float x) {
        const Float bounded = clamp(x, broadcast(-87.0f), broadcast(88.0f));
        const Float magic = broadcast(12582912.0f);
        const Float shifted = bounded * 1.44269504088896341f + magic;  // its low bits are the power of two
        const Float power = shifted - magic;
        const Float rest = (bounded - power * 0.693359375f) + power * 2.12194440e-4f;  // ln 2 in two parts (Cody and Waite)
        Float sum = rest * 1.9875691500e-4f + 1.3981999507e-3f;  // Cephes' expf
        sum = sum * rest + 8.3334519073e-3f;
        sum = sum * rest + 4.1665795894e-2f;
        sum = sum * rest + 1.6666665459e-1f;
        sum = sum * rest + 5.0000001201e-1f;
        sum = sum * rest * rest + rest + 1.0f;
        return reinterpret_cast<Float>(reinterpret_cast<Uint>(sum) + (reinterpret_cast<Uint>(shifted) << 23));
    }
    static CALIBENCH_INLINE double sum(Float x) { return lanes::sum<N>(__builtin_convertvector(x, typename VectorTypes<N>::Double)); }
};

/// The instruction sets that code is compiled for, by what LibTorch found (and ATEN_CPU_CAPABILITY may lower).
enum class InstructionSet { Baseline, Avx2, Avx512 };
[[nodiscard]] InstructionSet instruction_set();
/// From now on nothing wider than `most` is run: for checks of one instruction set after the other.
void limit_instruction_set(InstructionSet most);

}  // namespace calibench::lanes

#if defined(__x86_64__)
#define CALIBENCH_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define CALIBENCH_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define CALIBENCH_TARGET_AVX512
#define CALIBENCH_TARGET_AVX2
#endif
