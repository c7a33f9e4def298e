#include "core/recipe/auto_round_knobs_reader.h"

#include <array>

#include "core/base/text.h"
#include "core/recipe/fields.h"
#include "core/recipe/fixes.h"

namespace calibench {

namespace {

/// An option of auto-round's that is not here.
struct Foreign {
    const char* name;
    nlohmann::json neutral;  ///< what it may say all the same
    const char* reason;
};

void refuse_foreign(Fields& fields, Diagnostics& diagnostics) {
    static const std::vector<Foreign> options = {
        {"enable_norm_bias_tuning", false, "norms and biases stay as they are"},
        {"enable_adam", false, "it steps by the gradient's sign"},
        {"optimizer", nullptr, "it steps by the gradient's sign"},
        {"quant_lm_head", false, "a head is tuned where AutoRoundModifier targets it, as lm_head does without ignore"},
    };
    for (const Foreign& option : options) {
        const YamlEntry* entry = fields.find(option.name);
        if (!entry || to_json(*entry->value) == option.neutral) continue;
        diagnostics.error(entry->where, concat("Calibench has no ", option.name, ": ", option.reason, "; remove it"));
        diagnostics.offer(concat("Remove ", option.name), [&](const std::string& text) { return without_entry_at(text, entry->where); });
    }
}

template <typename T>
struct Choice {
    const char* name;
    T value;
};

template <typename T>
void read_choice(Fields& fields, const char* key, const std::array<Choice<T>, 2>& choices, T& chosen, Diagnostics& diagnostics) {
    const YamlEntry* entry = fields.find(key);
    if (!entry || entry->value->kind == YamlNode::Kind::Null) return;
    for (const Choice<T>& choice : choices) {
        if (entry->value->scalar != choice.name) continue;
        chosen = choice.value;
        return;
    }
    diagnostics.error(value_position(*entry), concat(key, " must be ", choices[0].name, " or ", choices[1].name, ", not ", describe(*entry->value)));
}

}  // namespace

AutoRoundKnobs read_auto_round_knobs(const YamlNode& section, Diagnostics& diagnostics) {
    AutoRoundKnobs knobs;
    Fields fields(section, "calibench", diagnostics);
    read_choice<Effort>(fields, "effort", {{{"exact", Effort::Exact}, {"quick", Effort::Quick}}}, knobs.effort, diagnostics);
    fields.read_positive("minmax_lr", knobs.minmax_lr);
    read_choice<LrScheduler>(fields, "lr_scheduler", {{{"linear", LrScheduler::Linear}, {"constant", LrScheduler::Constant}}}, knobs.lr_scheduler, diagnostics);
    fields.read("momentum", knobs.momentum, 0.0);
    fields.read("gradient_accumulate_steps", knobs.gradient_accumulate_steps, 1);
    fields.read("enable_minmax_tuning", knobs.enable_minmax_tuning);
    fields.read("enable_quanted_input", knobs.enable_quanted_input);
    fields.read("not_use_best_mse", knobs.not_use_best_mse);
    fields.read("dynamic_max_gap", knobs.dynamic_max_gap, -1);
    fields.read("nblocks", knobs.nblocks, 1);
    fields.read("enable_alg_ext", knobs.enable_alg_ext);
    fields.read("enable_lfq", knobs.enable_lfq);
    refuse_foreign(fields, diagnostics);
    fields.finish(Diagnostic::Severity::Warning);
    return knobs;
}

}  // namespace calibench
