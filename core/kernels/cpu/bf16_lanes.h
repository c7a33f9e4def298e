#pragma once

#include "core/kernels/cpu/lanes.h"

#if defined(__x86_64__)
#define CALIBENCH_BF16_PRODUCTS
#define CALIBENCH_TARGET_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

// Vectors are passed between functions that are all compiled into one.
#pragma GCC diagnostic ignored "-Wpsabi"

#include <immintrin.h>

namespace calibench::cpu::bf16 {

// 16 floats at a time for what is computed between bfloat16 products, on processors that have instructions for them: what they round
// to is the same as elsewhere, but subnormals are 0.

using Float = lanes::VectorTypes<16>::Float;
using Uint = lanes::VectorTypes<16>::Uint;
using Half = lanes::VectorTypes<16>::Half;

CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Float load(const float* from) {
    Float x;
    std::memcpy(&x, from, sizeof x);
    return x;
}
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Float load(const uint16_t* from) {
    Half half;
    std::memcpy(&half, from, sizeof half);
    return reinterpret_cast<Float>(__builtin_convertvector(half, Uint) << 16);
}
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void store(float* to, Float x) { std::memcpy(to, &x, sizeof x); }
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Half narrowed(Float x) {
    const __m256bh rounded = _mm512_cvtneps_pbh(x);
    Half half;
    std::memcpy(&half, &rounded, sizeof half);
    return half;
}
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void store(uint16_t* to, Half x) { std::memcpy(to, &x, sizeof x); }
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void store(uint16_t* to, Float x) { store(to, narrowed(x)); }
/// Rounded to bfloat16.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Float rounded(Float x) {
    return reinterpret_cast<Float>(__builtin_convertvector(narrowed(x), Uint) << 16);
}
/// Elements of two rows of a packed operand, one after the other by columns.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE void store_pairs(uint16_t* to, Half first, Half second) {
    const Uint pairs = __builtin_convertvector(first, Uint) | __builtin_convertvector(second, Uint) << 16;
    std::memcpy(to, &pairs, sizeof pairs);
}

/// Of all lanes.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE float sum(Float x) {
    x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return x[0] + x[1];
}
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Float larger(Float a, Float b) { return a > b ? a : b; }
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE float largest(Float x) {
    x = larger(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    x = larger(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    x = larger(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    return x[0] > x[1] ? x[0] : x[1];
}

/// e^x within 3e-6 of itself, far less than bfloat16 tells apart; below -87 it stays at e^-87, above 88 at e^88. NaN stays NaN.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Float exp(Float x) {
    const Float low = Float{} - 87.0f, high = Float{} + 88.0f;
    const Float raised = x < low ? low : x;
    const Float bounded = raised > high ? high : raised;
    const Float magic = Float{} + 12582912.0f;  // 1.5 * 2^23: its last place is one
    const Float shifted = bounded * 1.44269504f + magic;
    const Float rest = bounded * 1.44269504f - (shifted - magic);  // in [-1/2, 1/2]; 2^rest follows
    const Float power = (((rest * 9.58285e-3f + 5.590644e-2f) * rest + 2.4024099e-1f) * rest + 6.9312419e-1f) * rest + 1.0f;
    return reinterpret_cast<Float>(reinterpret_cast<Uint>(power) + (reinterpret_cast<Uint>(shifted) << 23));
}

/// 1 / x within 1e-7 of itself.
CALIBENCH_TARGET_BF16 CALIBENCH_INLINE Float reciprocal(Float x) {
    const Float guess = _mm512_maskz_rcp14_ps(0xffff, x);
    return guess * (2.0f - x * guess);
}

}  // namespace calibench::cpu::bf16

#endif
