#include "core/models/family.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

std::span<const Family> families() {
    static const std::vector<Family> table = {
        {.model_type = "llama",
         .architecture = "LlamaForCausalLM",
         .class_prefix = "Llama",
         .attention_bias = AttentionBias::AsConfigured,
         .mlp_bias_configurable = true},
        {.model_type = "mistral",
         .architecture = "MistralForCausalLM",
         .class_prefix = "Mistral",
         .window = WindowPattern::EveryBlock},
        {.model_type = "qwen2",
         .architecture = "Qwen2ForCausalLM",
         .class_prefix = "Qwen2",
         .attention_bias = AttentionBias::QkvAlways,
         .window = WindowPattern::LayerTypes,
         .window_needs_switch = true},
        {.model_type = "qwen3",
         .architecture = "Qwen3ForCausalLM",
         .class_prefix = "Qwen3",
         .attention_bias = AttentionBias::AsConfigured,
         .qk_norm = true,
         .window = WindowPattern::LayerTypes,
         .window_needs_switch = true},
        {.model_type = "qwen3_moe",
         .architecture = "Qwen3MoeForCausalLM",
         .class_prefix = "Qwen3Moe",
         .attention_bias = AttentionBias::AsConfigured,
         .qk_norm = true,
         .window = WindowPattern::EveryBlock,
         .window_needs_switch = true,
         .sparse = true},
    };
    return table;
}

const Family* find_family(const std::string& architecture) {
    const auto all = families();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Family& family) { return family.architecture == architecture; });
    return found == all.end() ? nullptr : &*found;
}

const Family& family_of(const std::string& architecture) {
    const Family* family = find_family(architecture);
    if (family == nullptr)
        throw InputError(concat("The architecture ", architecture, " is not supported; known are ",
                                list_names(supported_architectures(), families().size()), "."));
    return *family;
}

std::vector<std::string> supported_architectures() {
    std::vector<std::string> names;
    for (const Family& family : families()) names.push_back(family.architecture);
    return names;
}

}  // namespace calibench
