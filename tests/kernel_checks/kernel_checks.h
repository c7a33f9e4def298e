#pragma once

#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/kernels/cpu/lanes.h"

namespace calibench::testing {

// Every kernel of core/kernels against plain tensor operations on the same device, at shapes that make vectors, warps, tiles and threads
// end unevenly. The tests and `calibench-bench check` run the same table.

struct Comparison {
    std::string what;   ///< "bfloat16 [5, 37]"
    double error = 0;   ///< the worst of all elements, in units of the largest expected value, or a share of elements that differ
    double bound = 0;   ///< 0: not a bit may differ
    [[nodiscard]] bool passed() const { return error <= bound; }  // NaN does not
};

struct KernelCheck {
    const char* kernel;
    /// Nothing where this build has no kernel for the device.
    std::vector<Comparison> (*compare)(const at::Device& device);
};

[[nodiscard]] std::span<const KernelCheck> kernel_checks();

/// A way to run the kernels: a GPU, or the CPU up to an instruction set.
struct CheckTarget {
    std::string name;  ///< "cpu-avx2", "cuda:0"
    at::Device device;
    lanes::InstructionSet instruction_set = lanes::InstructionSet::Avx512;
};
/// The CPU once per instruction set that it has, the widest first.
[[nodiscard]] std::vector<CheckTarget> cpu_targets();

[[nodiscard]] std::vector<Comparison> compare_on(const CheckTarget& target, const KernelCheck& check);

/// The comparison that came nearest to its bound, or went furthest beyond it.
[[nodiscard]] const Comparison& worst_of(std::span<const Comparison> comparisons);

}  // namespace calibench::testing
