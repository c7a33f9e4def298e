#include "core/kernels/cpu/group_lanes.h"

#include <cstring>

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

static GroupLanes choose() {
#if defined(CALIBENCH_X86_LANES)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return {"AVX-512", avx512::range_of_runs<float>, avx512::range_of_runs<BFloat16Bits>};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return {"AVX2", avx2::range_of_runs<float>, avx2::range_of_runs<BFloat16Bits>};
#endif
    return {"baseline", baseline::range_of_runs<float>, baseline::range_of_runs<BFloat16Bits>};
}

const GroupLanes& group_lanes() {
    static const GroupLanes chosen = choose();
    return chosen;
}

}  // namespace calibench
