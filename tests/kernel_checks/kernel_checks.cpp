#include "tests/kernel_checks/kernel_checks.h"

#include <algorithm>
#include <array>
#include <limits>

#include "tests/kernel_checks/checks.h"

namespace calibench::testing {

using lanes::InstructionSet;

std::span<const KernelCheck> kernel_checks() {
    static constexpr std::array checks{
        KernelCheck{"qdq_weight forward", qdq_forward},
        KernelCheck{"qdq_weight step", qdq_step},
        KernelCheck{"block_loss", block_loss},
        KernelCheck{"rms_norm forward", rms_norm_forward},
        KernelCheck{"rms_norm backward", rms_norm_backward},
        KernelCheck{"swiglu forward", swiglu_forward},
        KernelCheck{"swiglu backward", swiglu_backward},
        KernelCheck{"rotary forward", rotary_forward},
        KernelCheck{"rotary backward", rotary_backward},
        KernelCheck{"causal_softmax forward", causal_softmax_forward},
        KernelCheck{"causal_softmax backward", causal_softmax_backward},
        KernelCheck{"causal_attention", attention},
        KernelCheck{"gated_mlp", gated_mlp},
        KernelCheck{"self_attention", self_attention},
        KernelCheck{"group_min_max", group_ranges},
        KernelCheck{"group_search", group_searches},
        KernelCheck{"scales_of_ranges", scales_of_ranges},
        KernelCheck{"quantize_runs", quantize_runs},
        KernelCheck{"dequantize_runs", dequantize_runs},
        KernelCheck{"fake_quantize_runs", fake_quantize_runs},
        KernelCheck{"column_min_max", column_ranges},
        KernelCheck{"squared_error", squared_errors},
        KernelCheck{"activation_tally", activation_tallies},
    };
    return checks;
}

std::vector<CheckTarget> cpu_targets() {
    static const InstructionSet widest = lanes::instruction_set();
    std::vector<CheckTarget> targets;
    if (widest == InstructionSet::Avx512) targets.push_back({"cpu-avx512", at::kCPU, InstructionSet::Avx512});
    if (widest >= InstructionSet::Avx2) targets.push_back({"cpu-avx2", at::kCPU, InstructionSet::Avx2});
    targets.push_back({"cpu-baseline", at::kCPU, InstructionSet::Baseline});
    return targets;
}

std::vector<Comparison> compare_on(const CheckTarget& target, const KernelCheck& check) {
    struct Limit {
        explicit Limit(InstructionSet most) { lanes::limit_instruction_set(most); }
        ~Limit() { lanes::limit_instruction_set(InstructionSet::Avx512); }
    };
    const Limit limit(target.instruction_set);
    return check.compare(target.device);
}

const Comparison& worst_of(std::span<const Comparison> comparisons) {
    const auto used = [](const Comparison& comparison) {
        if (!comparison.passed()) return std::numeric_limits<double>::infinity();
        return comparison.bound > 0 ? comparison.error / comparison.bound : 0.0;
    };
    return *std::max_element(comparisons.begin(), comparisons.end(), [&](const auto& a, const auto& b) { return used(a) < used(b); });
}

}  // namespace calibench::testing
