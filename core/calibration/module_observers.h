#pragma once

#include <memory>
#include <string>

#include "core/autoround/opt_rtn.h"
#include "core/calibration/run_plan.h"
#include "core/checkpoint/compressor.h"
#include "core/observers/observer.h"
#include "core/quantization/activation_quantizer.h"

namespace calibench {

/// The observers that one module's scheme asks for; null where it asks for none.
struct ModuleObservers {
    std::unique_ptr<Observer> weight;  ///< of a weight to be rounded to nearest; AutoRound needs none
    std::unique_ptr<Observer> input;   ///< of static inputs, or of the static part of "local" ones
    std::unique_ptr<Observer> output;  ///< of static outputs
    std::unique_ptr<InputEnergy> energy;  ///< for opt_rtn and SignRoundV2, which weigh by it, but can do without

    ModuleObservers(const std::string& module, const ModulePlan& plan);

    /// Each throws RunError, naming module and count, when NaN or infinity passes.
    void see_input(const at::Tensor& input) const;
    void see_output(const at::Tensor& output) const;
    [[nodiscard]] bool wants_inputs() const { return needs_inputs() || energy; }
    [[nodiscard]] bool needs_inputs() const { return input || (weight && weight->wants_inputs()); }

    /// Static scales of inputs and outputs, in the dtype they are stored in.
    [[nodiscard]] ModuleQParams activations(at::ScalarType dtype) const;
};

/// Of keys ("k") or values ("v") of one attention module; null when their scales are dynamic.
[[nodiscard]] std::unique_ptr<Observer> make_cache_observer(const std::string& attention, const std::string& base_name,
                                                            const QuantizationArgs& args);

/// What an observer has found, its scale in `dtype` if one is given.
[[nodiscard]] QParams observed_qparams(Observer& observer, std::optional<at::ScalarType> dtype = {});

/// From here on the Linear rounds its inputs and outputs as a reader of the checkpoint will, who computes in `dtype`. `inputs` are those of
/// the Linears around it.
void round_activations(Linear& linear, const QuantizationScheme& scheme, const ModuleQParams& stored, at::ScalarType dtype, SharedQuantizers& inputs);

/// As a reader of the checkpoint computes with them in `dtype`.
[[nodiscard]] QParams as_read(const QParams& stored, at::ScalarType dtype);

}  // namespace calibench
