#pragma once

#include "core/kernels/cpu/lanes.h"

namespace calibench::lanes {

/// The value of float8 (e4m3) next to each, of two the even one; for magnitudes up to 448, its largest.
template <int N>
CALIBENCH_INLINE typename Lanes<N>::Float nearest_e4m3(typename Lanes<N>::Float x) {
    using Float = typename Lanes<N>::Float;
    const typename Lanes<N>::Uint bits = reinterpret_cast<typename Lanes<N>::Uint>(x);
    const Float magnitude = reinterpret_cast<Float>(bits & 0x7fffffffu);
    const Float rounded = reinterpret_cast<Float>((bits + 0x7ffffu + ((bits >> 20) & 1u)) & 0xfff00000u);  // three bits of mantissa
    const Float magic = Lanes<N>::broadcast(12582912.0f * 0x1p-9f);  // adding it rounds to multiples of 2^-9 (Lanes::round)
    return magnitude < Lanes<N>::broadcast(0x1p-6f) ? (x + magic) - magic : rounded;
}

}  // namespace calibench::lanes
