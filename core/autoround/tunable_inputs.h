#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/autoround/auto_round_options.h"
#include "core/autoround/sign_sgd.h"
#include "core/models/layers.h"

namespace calibench {

/// The static scale that a Linear's inputs are rounded with.
struct StaticInput {
    QuantizationArgs args;
    at::Tensor scale;  ///< [1], of the observed range
};

/// Whether a range of inputs can be learned: one static scale, without a zero point, for the whole tensor, of integers or FP8.
[[nodiscard]] bool has_tunable_range(const QuantizationArgs& inputs);

/// Static ranges of inputs while they are learned (auto-round's act_max_scale): each is cut to a factor of 0 .. 1, one for
/// projections that are run as one matrix, since they share their inputs and vLLM gives them one scale. While it lives, the Linears
/// round their inputs with the factors; afterwards as they did before.
class TunableInputs {
public:
    /// Linears without an entry in `inputs` stay as they are. `weights`: their schemes, which decide on the rates.
    TunableInputs(const std::vector<Linear*>& linears, const std::map<std::string, StaticInput>& inputs,
                  const std::map<std::string, QuantizationArgs>& weights, const AutoRoundOptions& options);
    ~TunableInputs();
    TunableInputs(const TunableInputs&) = delete;
    TunableInputs& operator=(const TunableInputs&) = delete;

    /// Leaves [1] that require grad. Their values change with step(), the tensors do not.
    [[nodiscard]] std::vector<at::Tensor> factors() const;
    /// The current factors are the best so far.
    void remember();
    /// One step down `gradients`, in the order of factors(); an undefined one leaves its factor as it is.
    void step(std::span<const at::Tensor> gradients);
    /// The best factors, by module.
    [[nodiscard]] std::map<std::string, double> best() const;

private:
    struct Factor {
        std::vector<std::string> modules;
        at::Tensor value, best, velocity;
        LinearDecay rate;
    };
    struct Replaced {
        Linear* linear;
        std::function<at::Tensor(const at::Tensor&)> transform;
    };
    double momentum_;
    std::vector<Factor> factors_;
    std::vector<Replaced> replaced_;
};

}  // namespace calibench
