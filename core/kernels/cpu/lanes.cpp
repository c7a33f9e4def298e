#include "core/kernels/cpu/lanes.h"

#include <ATen/Version.h>

namespace calibench::lanes {

InstructionSet instruction_set() {
    static const InstructionSet best = [] {
        const std::string capability = at::get_cpu_capability();
        if (capability.rfind("AVX512", 0) == 0) return InstructionSet::Avx512;
        return capability == "AVX2" ? InstructionSet::Avx2 : InstructionSet::Baseline;
    }();
    return best;
}

}  // namespace calibench::lanes
