#pragma once

#include <filesystem>

#include "core/models/causal_lm.h"
#include "core/models/layers.h"
#include "core/models/model_directory.h"
#include "core/models/module_plan.h"
#include "core/quantization/activation_quantizer.h"

namespace calibench {

/// Hands out the weights of a model directory as tensors to compute with: the compute dtype and device, dense even where the
/// checkpoint is compressed. On the CPU a weight already in the compute dtype is a view of the file, not a copy.
class WeightStore {
public:
    /// Throws InputError with everything that is wrong with the directory.
    WeightStore(const std::filesystem::path& model_dir, ComputeOptions options);

    [[nodiscard]] const ModelConfig& config() const { return directory_.config(); }
    [[nodiscard]] const Checkpoint& checkpoint() const { return directory_.checkpoint(); }
    [[nodiscard]] const ComputeOptions& options() const { return options_; }

    /// With the activation quantization that a compressed checkpoint asks for.
    [[nodiscard]] Linear linear(const ModuleSpec& spec) const;
    [[nodiscard]] RmsNorm norm(const ModuleSpec& spec) const;
    /// With the cache quantization that a checkpoint asks for; `attention` is the module's name.
    [[nodiscard]] KeyValueTaps key_value_taps(const std::string& attention) const;
    [[nodiscard]] at::Tensor weight(const ModuleSpec& spec) const;
    /// Some rows of a weight; only they leave the file when it is stored dense. `rows` int64 on the CPU.
    [[nodiscard]] at::Tensor weight_rows(const ModuleSpec& spec, const at::Tensor& rows) const;
    /// Lets the operating system drop the file pages behind a module whose weights are no longer needed.
    void release(const ModuleSpec& spec) const;

private:
    [[nodiscard]] at::Tensor decompress(const ModuleSpec& spec, const QuantizationScheme& scheme) const;
    [[nodiscard]] at::Tensor to_compute(const at::Tensor& tensor) const;
    /// Rounds what `what` ("input", "output", "k", "v") of the module stands for, with the scales that are stored for it.
    [[nodiscard]] ActivationQuantizer activation_quantizer(const std::string& module, const std::string& what, const QuantizationArgs& args) const;
    /// "model.layers.0.mlp.up_proj: " behind the directory, as every complaint begins.
    [[nodiscard]] std::string place(const std::string& module) const;

    ModelDirectory directory_;
    ComputeOptions options_;
};

}  // namespace calibench
