#include "core/kernels/cpu/group_lanes.h"

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "core/kernels/cpu/lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// A product and a sum must stay two roundings, as in the reference, wherever no fused multiply-add is written out.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

namespace calibench {

static float round_to_bfloat16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

/// The polynomial goes through x^exponent at the Chebyshev nodes of [1, 2): divided differences, then multiplied out.
PowerTable::PowerTable(double exponent, bool for_bfloat16)
    : whole_exponent(calibench::whole_exponent(exponent)) {
    for (int biased = 1; biased < 255; ++biased) scale_of_exponent[biased] = float(std::exp2((biased - 127) * exponent));
    scale_of_exponent[0] = 0;  // zeros; subnormal errors are as good as none
    scale_of_exponent[255] = std::numeric_limits<float>::infinity();

    constexpr int terms = int(std::extent_v<decltype(coefficients)>);
    double nodes[terms], differences[terms], product[terms] = {};
    for (int i = 0; i < terms; ++i) {
        nodes[i] = 0.5 * std::cos((i + 0.5) / terms * M_PI);
        differences[i] = std::pow(1.5 + nodes[i], exponent);
    }
    for (int order = 1; order < terms; ++order)
        for (int i = terms - 1; i >= order; --i)
            differences[i] = (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order]);
    for (int i = terms - 1; i >= 0; --i) {  // product = product * (x - nodes[i]) + differences[i]
        for (int term = terms - 1; term > 0; --term) product[term] = product[term - 1] - nodes[i] * product[term];
        product[0] = differences[i] - nodes[i] * product[0];
    }
    for (int term = 0; term < terms; ++term) coefficients[term] = float(product[term]);

    if (!for_bfloat16) return;
    constexpr int mantissas = 128;
    double powers[mantissas];
    for (int mantissa = 0; mantissa < mantissas; ++mantissa) powers[mantissa] = std::pow(1 + double(mantissa) / mantissas, exponent);
    of_bfloat16.resize(256 * mantissas);
    for (int biased = 0; biased < 256; ++biased) {
        const double scale = biased == 0 ? 0 : std::exp2((biased - 127) * exponent);
        for (int mantissa = 0; mantissa < mantissas; ++mantissa)
            of_bfloat16[size_t(biased * mantissas + mantissa)] = round_to_bfloat16(float(scale * powers[mantissa]));
    }
}

namespace baseline {
#define CALIBENCH_LANES 4
#include "core/kernels/cpu/group_lanes.inl"
#undef CALIBENCH_LANES
}  // namespace baseline

#if defined(__x86_64__) && !defined(__clang__)
#define CALIBENCH_X86_LANES

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#define CALIBENCH_LANES 8
#include "core/kernels/cpu/group_lanes.inl"
#undef CALIBENCH_LANES
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
namespace avx512 {
#define CALIBENCH_LANES 16
#include "core/kernels/cpu/group_lanes.inl"
#undef CALIBENCH_LANES
}  // namespace avx512
#pragma GCC pop_options
#endif

const GroupLanes& group_lanes() {
    // One static each: their making is compiled for the instruction set too.
#if defined(CALIBENCH_X86_LANES)
    switch (lanes::instruction_set()) {
        case lanes::InstructionSet::Avx512: {
            static const GroupLanes lanes = avx512::make_lanes("AVX-512");
            return lanes;
        }
        case lanes::InstructionSet::Avx2: {
            static const GroupLanes lanes = avx2::make_lanes("AVX2");
            return lanes;
        }
        case lanes::InstructionSet::Baseline: break;
    }
#endif
    static const GroupLanes lanes = baseline::make_lanes("baseline");
    return lanes;
}

}  // namespace calibench
