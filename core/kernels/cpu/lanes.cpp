#include "core/kernels/cpu/lanes.h"

#include <algorithm>
#include <atomic>
#include <string>

#include <ATen/Version.h>

namespace calibench::lanes {

static std::atomic<InstructionSet> limit = InstructionSet::Avx512;

InstructionSet instruction_set() {
    static const InstructionSet best = [] {
        const std::string capability = at::get_cpu_capability();
        if (capability.rfind("AVX512", 0) == 0) return InstructionSet::Avx512;
        return capability == "AVX2" ? InstructionSet::Avx2 : InstructionSet::Baseline;
    }();
    return std::min(best, limit.load(std::memory_order_relaxed));
}

void limit_instruction_set(InstructionSet most) { limit = most; }

}  // namespace calibench::lanes
