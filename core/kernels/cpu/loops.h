#pragma once

#include "core/kernels/cpu/lanes.h"

/// Defines `name`<T>(arguments, begin, end): the force-inlined template `body`<N, T> over vector width and element type, compiled once
/// per instruction set; the widest that this processor has is run.
#define CALIBENCH_LOOP(name, body, Arguments)                                                                          \
    template <typename T>                                                                                              \
    CALIBENCH_TARGET_AVX512 void name##_avx512(const Arguments& arguments, int64_t begin, int64_t end) {                \
        body<16, T>(arguments, begin, end);                                                                            \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    CALIBENCH_TARGET_AVX2 void name##_avx2(const Arguments& arguments, int64_t begin, int64_t end) {                    \
        body<8, T>(arguments, begin, end);                                                                             \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    void name##_baseline(const Arguments& arguments, int64_t begin, int64_t end) {                                      \
        body<4, T>(arguments, begin, end);                                                                             \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    void name(const Arguments& arguments, int64_t begin, int64_t end) {                                                 \
        switch (lanes::instruction_set()) {                                                                            \
            case lanes::InstructionSet::Avx512: return name##_avx512<T>(arguments, begin, end);                        \
            case lanes::InstructionSet::Avx2: return name##_avx2<T>(arguments, begin, end);                            \
            case lanes::InstructionSet::Baseline: return name##_baseline<T>(arguments, begin, end);                    \
        }                                                                                                              \
    }
