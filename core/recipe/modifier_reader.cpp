#include "core/recipe/modifier_reader.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/quantization/target.h"
#include "core/recipe/fields.h"
#include "core/recipe/fixes.h"
#include "core/recipe/scheme_reader.h"

namespace calibench {

namespace {

constexpr const char* kAutoRound = "AutoRoundModifier";
constexpr const char* kQuantization = "QuantizationModifier";

/// What llm-compressor has and this program has not.
const std::vector<std::string> foreign_modifiers = {
    "AWQModifier", "ConstantPruningModifier", "GPTQModifier", "LogarithmicEqualizationModifier", "MagnitudePruningModifier",
    "QuIPModifier", "REAPPruningModifier", "SmoothQuantModifier", "SparseGPTModifier", "SpinQuantModifier", "WandaPruningModifier"};

void report_unknown_modifier(const YamlEntry& entry, Diagnostics& diagnostics) {
    if (std::find(foreign_modifiers.begin(), foreign_modifiers.end(), entry.key) != foreign_modifiers.end()) {
        diagnostics.error(entry.where, concat(entry.key, " is llm-compressor's; Calibench runs ", kAutoRound, " and ", kQuantization, " only"));
        return;
    }
    const std::vector<std::string> own = {kAutoRound, kQuantization};
    const std::string nearest = closest_match(entry.key, own);
    diagnostics.error(entry.where, concat("No modifier of type '", entry.key, "' found.",
                                          nearest.empty() ? concat(" Use ", kAutoRound, " or ", kQuantization, ".")
                                                          : concat(" Did you mean ", nearest, "?")));
    if (!nearest.empty())
        diagnostics.offer(concat("Change ", entry.key, " to ", nearest),
                          [&](const std::string& text) { return with_key_at(text, entry.where, nearest); });
}

AutoRoundSettings read_auto_round(Fields& fields) {
    AutoRoundSettings settings;
    fields.read("iters", settings.iters, 0);
    fields.read("batch_size", settings.batch_size, 1);
    fields.read_positive("lr", settings.lr);
    fields.read("enable_torch_compile", settings.enable_torch_compile);
    fields.read("disable_opt_rtn", settings.disable_opt_rtn);
    fields.read("device_ids", settings.device_ids);
    return settings;
}

/// Reads QuantizationMixin's fields into a Modifier.
class MixinReader {
public:
    MixinReader(Fields& fields, SourcePosition where, Modifier& modifier, Diagnostics& diagnostics)
        : fields_(fields), where_(where), modifier_(modifier), diagnostics_(diagnostics) {}

    void read() {
        fields_.read("targets", modifier_.targets, target_positions_, true);
        check_patterns(modifier_.targets, target_positions_);
        read_ignore();
        read_observers();
        fields_.read("bypass_divisibility_checks", modifier_.bypass_divisibility_checks);
        const YamlEntry* scheme = present("scheme");
        const YamlEntry* groups = present("config_groups");
        const YamlEntry* kv_cache = present("kv_cache_scheme");
        if (scheme && groups) {
            diagnostics_.error(groups->where, "Please specify either `scheme` or `config_groups`, not both");
            offer_removal(*scheme);
            offer_removal(*groups);
        }
        if (scheme) read_scheme(*scheme);
        if (groups) read_config_groups(*groups);
        if (groups && modifier_.targets != Modifier{}.targets) {
            diagnostics_.warning(target_positions_.empty() ? groups->where : target_positions_.front(),
                                 "targets counts for nothing next to config_groups: every group names its own");
            if (const YamlEntry* targets = present("targets")) offer_removal(*targets);
        }
        if (kv_cache) modifier_.kv_cache_scheme = read_quantization_args(*kv_cache, modifier_.class_name, diagnostics_);
        if (!scheme && !groups) {
            if (!kv_cache) {
                diagnostics_.error({modifier_.line, 0}, concat(modifier_.class_name, " says nothing of how to quantize; add e.g. scheme: W4A16"));
                diagnostics_.offer("Add scheme: W4A16", [&](const std::string& text) { return with_field_at(text, where_, "scheme", "W4A16"); });
            }
            add_group("group_0", {.targets = modifier_.targets}, {modifier_.line, 0}, target_positions_);
        }
    }

private:
    const YamlEntry* present(const std::string& name) {
        const YamlEntry* entry = fields_.find(name);
        return entry && entry->value->kind != YamlNode::Kind::Null ? entry : nullptr;
    }

    void read_ignore() {
        std::vector<SourcePosition> positions;
        fields_.read("ignore", modifier_.ignore, positions, false);
        check_patterns(modifier_.ignore, positions);
        remember("ignore", positions);
    }

    void read_observers() {
        fields_.read("weight_observer", modifier_.weight_observer);
        fields_.read("input_observer", modifier_.input_observer);
        fields_.read("output_observer", modifier_.output_observer);
        const bool individual = modifier_.weight_observer || modifier_.input_observer || modifier_.output_observer;
        const YamlEntry* entry = present("observer");
        if (!entry) return;
        if (individual) {
            diagnostics_.error(entry->where, "Cannot specify both individual observer parameters (weight_observer, input_observer, "
                                             "output_observer) and observer dict");
            offer_removal(*entry);
        }
        if (entry->value->kind != YamlNode::Kind::Map) {
            diagnostics_.error(value_position(*entry), concat("`observer` must be a map such as {weights: mse}, not ", describe(*entry->value)));
            return;
        }
        Fields observers(*entry->value, "observer", diagnostics_);
        observers.read("weights", modifier_.weight_observer);
        observers.read("input", modifier_.input_observer);
        observers.read("output", modifier_.output_observer);
        observers.finish();
    }

    void read_scheme(const YamlEntry& entry) {
        const YamlNode& value = *entry.value;
        if (value.kind == YamlNode::Kind::Scalar) {
            modifier_.scheme = value.scalar;
            if (auto scheme = read_preset(value.scalar, value.where, modifier_.targets, diagnostics_))
                add_group("group_0", std::move(*scheme), entry.where, target_positions_);
        } else if (value.kind == YamlNode::Kind::Map && !value.entries.empty()) {
            for (size_t i = 0; i < value.entries.size(); ++i) read_preset_targets(value.entries[i], concat("group_", i));
        } else {
            diagnostics_.error(value_position(entry), concat("`scheme` must either be a preset scheme name or a dictionary of preset "
                                                             "scheme names, not ", describe(value)));
        }
    }

    /// `W8A8: [targets]` of a scheme dictionary; a single target needs no list.
    void read_preset_targets(const YamlEntry& entry, const std::string& group) {
        std::vector<std::string> targets;
        std::vector<SourcePosition> positions;
        if (entry.value->kind == YamlNode::Kind::Scalar) {
            targets = {entry.value->scalar};
            positions = {entry.value->where};
        } else if (entry.value->kind == YamlNode::Kind::Sequence) {
            read_text_list(*entry.value, entry.key, targets, positions, diagnostics_);
        } else {
            diagnostics_.error(value_position(entry), concat("preset ", entry.key, " needs a list of targets, not ", describe(*entry.value)));
        }
        check_patterns(targets, positions);
        if (auto scheme = read_preset(entry.key, entry.where, std::move(targets), diagnostics_))
            add_group(group, std::move(*scheme), entry.where, positions);
    }

    void read_config_groups(const YamlEntry& entry) {
        if (entry.value->kind != YamlNode::Kind::Map || entry.value->entries.empty()) {
            diagnostics_.error(value_position(entry), concat("config_groups must be a map of groups, not ",
                                                             entry.value->entries.empty() ? "empty" : describe(*entry.value)));
            return;
        }
        for (const YamlEntry& group : entry.value->entries) {
            std::vector<SourcePosition> positions;
            auto scheme = read_config_group(group, positions, diagnostics_);
            if (!scheme) continue;
            check_patterns(scheme->targets, positions);
            add_group(group.key, std::move(*scheme), group.where, positions);
        }
    }

    void add_group(const std::string& name, QuantizationScheme scheme, SourcePosition where,
                   const std::vector<SourcePosition>& target_positions) {
        const std::string path = "config_groups/" + name;
        modifier_.positions[path] = where;
        remember(path + "/targets", target_positions);
        if (scheme.targets.empty()) diagnostics_.error(where, concat("config group '", name, "' has no target, so it quantizes nothing"));
        apply_observers(modifier_, scheme);
        modifier_.config_groups.emplace_back(name, std::move(scheme));
    }

    void remember(const std::string& path, const std::vector<SourcePosition>& positions) {
        for (size_t i = 0; i < positions.size(); ++i) modifier_.positions[concat(path, "/", i)] = positions[i];
    }

    void check_patterns(const std::vector<std::string>& targets, const std::vector<SourcePosition>& positions) {
        for (size_t i = 0; i < positions.size(); ++i) {
            try {
                [[maybe_unused]] const Target compiled(targets[i]);
            } catch (const InputError& error) {
                diagnostics_.error(positions[i], error.what());
            }
        }
    }

    /// "Remove scheme": for a field that another one rules out.
    void offer_removal(const YamlEntry& entry) {
        diagnostics_.offer(concat("Remove ", entry.key), [&](const std::string& text) { return without_entry_at(text, entry.where); });
    }

    Fields& fields_;
    SourcePosition where_;  ///< of the modifier's name
    Modifier& modifier_;
    Diagnostics& diagnostics_;
    std::vector<SourcePosition> target_positions_;
};

}  // namespace

void apply_observers(const Modifier& modifier, QuantizationScheme& scheme) {
    const auto apply = [](std::optional<QuantizationArgs>& args, const std::optional<std::string>& chosen, const char* fallback) {
        if (!args) return;
        if (chosen)
            args->observer = *chosen;
        else if (!args->observer && args->dynamic != Dynamic::Yes)
            args->observer = fallback;
    };
    apply(scheme.weights, modifier.weight_observer, "memoryless_minmax");
    apply(scheme.input_activations, modifier.input_observer, "minmax");
    apply(scheme.output_activations, modifier.output_observer, "minmax");
}

std::optional<Modifier> read_modifier(const YamlEntry& entry, const std::string& group, Diagnostics& diagnostics) {
    if (entry.key != kAutoRound && entry.key != kQuantization) {
        report_unknown_modifier(entry, diagnostics);
        return {};
    }
    static const YamlNode no_arguments{.kind = YamlNode::Kind::Map};
    const bool empty = entry.value->kind == YamlNode::Kind::Null;
    if (!empty && entry.value->kind != YamlNode::Kind::Map) {
        diagnostics.error(value_position(entry), concat(entry.key, " must be a map of its arguments, not ", describe(*entry.value)));
        return {};
    }
    Modifier modifier{.class_name = entry.key, .group = group, .line = entry.where.line};
    Fields fields(empty ? no_arguments : *entry.value, entry.key, diagnostics);
    if (entry.key == kAutoRound) modifier.settings = read_auto_round(fields);
    MixinReader(fields, entry.where, modifier, diagnostics).read();

    fields.read("index", modifier.index);
    fields.read("start", modifier.start);
    fields.read("end", modifier.end);
    fields.read("update", modifier.update);
    bool requires_calibration_data = false;  // llm-compressor writes it into the recipes it saves; it follows from the rest
    fields.read("requires_calibration_data", requires_calibration_data);
    if (const YamlEntry* named = fields.find("group")) {
        std::optional<std::string> name;
        fields.read("group", name);
        if (name) modifier.group = *name;
        diagnostics.warning(named->where, "llm-compressor stops at `group` here; name the group in the key above, <group>_modifiers");
        diagnostics.offer("Remove group", [&](const std::string& text) { return without_entry_at(text, named->where); });
    }
    fields.finish();
    return modifier;
}

}  // namespace calibench
