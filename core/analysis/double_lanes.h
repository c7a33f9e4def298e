#pragma once

#include <cstdint>
#include <cstring>

#include "core/kernels/cpu/lanes.h"

namespace calibench::lanes {

/// Half a register of floats, and the same values as doubles.
template <int N>
struct DoubleTypes;
template <>
struct DoubleTypes<4> {
    typedef int32_t Int __attribute__((vector_size(8)));
    typedef float Half __attribute__((vector_size(8)));
    typedef double Double __attribute__((vector_size(16)));
    typedef double Pair __attribute__((vector_size(32)));
};
template <>
struct DoubleTypes<8> {
    typedef int32_t Int __attribute__((vector_size(16)));
    typedef float Half __attribute__((vector_size(16)));
    typedef double Double __attribute__((vector_size(32)));
    typedef double Pair __attribute__((vector_size(64)));
};
template <>
struct DoubleTypes<16> {
    typedef int32_t Int __attribute__((vector_size(32)));
    typedef float Half __attribute__((vector_size(32)));
    typedef double Double __attribute__((vector_size(64)));
    typedef double Pair __attribute__((vector_size(128)));
};

template <int N>
struct Doubles {
    using Half = typename DoubleTypes<N>::Half;
    using Double = typename DoubleTypes<N>::Double;
    using Int = typename DoubleTypes<N>::Int;
    static constexpr int lanes = N / 2;

    /// A whole register at once: GCC converts half a one in two steps.
    struct Two {
        Double first, second;
    };
    static CALIBENCH_INLINE Two load(const float* from) {
        const auto pair = __builtin_convertvector(Lanes<N>::load(from), typename DoubleTypes<N>::Pair);
        Two two;
        std::memcpy(&two.first, &pair, sizeof two.first);
        std::memcpy(&two.second, reinterpret_cast<const char*>(&pair) + sizeof two.first, sizeof two.second);
        return two;
    }
    static CALIBENCH_INLINE double sum(Double x) {
        if constexpr (lanes > 2) {
            typename DoubleTypes<N / 2>::Double low, high;
            std::memcpy(&low, &x, sizeof low);
            std::memcpy(&high, reinterpret_cast<const char*>(&x) + sizeof low, sizeof high);
            return Doubles<N / 2>::sum(low + high);
        } else {
            return x[0] + x[1];
        }
    }
};

}  // namespace calibench::lanes
