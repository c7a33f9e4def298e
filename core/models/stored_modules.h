#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/models/checkpoint.h"
#include "core/models/model_config.h"
#include "core/models/module_plan.h"
#include "core/quantization/target.h"

namespace calibench {

/// How a checkpoint keeps the weight of one module.
struct StoredModule {
    enum class Layout {
        Missing,
        Dense,        ///< MODULE.weight
        ExpertSlice,  ///< rows of a tensor that holds all experts of the block
        Compressed,   ///< what compressed-tensors makes of a Linear: MODULE.weight_packed, MODULE.weight_scale, ...
    };
    Layout layout = Layout::Missing;
    std::string tensor;                 ///< Dense, ExpertSlice: the tensor's name; Missing: the name that was looked for
    std::vector<int64_t> tensor_shape;  ///< Dense, ExpertSlice: what the tensor's shape has to be
    int64_t first_row = 0;              ///< ExpertSlice: of [experts, rows, columns], within the expert
    const QuantizationScheme* scheme = nullptr;  ///< what quantization_config says about the module; null: nothing
};

/// Finds modules in a checkpoint. Holds on to both arguments.
class StoredModules {
public:
    StoredModules(const ModelConfig& config, const Checkpoint& checkpoint);

    [[nodiscard]] StoredModule find(const ModuleSpec& spec) const;
    /// The storage format of one scheme: its own, the checkpoint's, or the one that follows from it.
    [[nodiscard]] CompressionFormat format_of(const QuantizationScheme& scheme) const;
    /// Everything about the checkpoint that keeps this architecture from being loaded, a sentence each; empty: all is well.
    [[nodiscard]] std::vector<std::string> problems() const;

private:
    [[nodiscard]] const QuantizationScheme* scheme_of(const ModuleSpec& spec) const;

    const ModelConfig& config_;
    const Checkpoint& checkpoint_;
    // Names are looked up, since an exported ignore list may name thousands of modules; patterns are tried one by one.
    std::unordered_map<std::string, const QuantizationScheme*> scheme_of_name_;  ///< of a module or a class
    std::vector<std::pair<Target, const QuantizationScheme*>> scheme_of_pattern_;
    std::unordered_set<std::string> ignored_names_;
    std::vector<Target> ignored_patterns_;
};

}  // namespace calibench
