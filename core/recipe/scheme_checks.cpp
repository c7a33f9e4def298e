#include "core/recipe/scheme_checks.h"

#include <algorithm>
#include <functional>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/observers/fused_groups.h"
#include "core/observers/registry.h"
#include "core/recipe/modifier_writer.h"
#include "core/recipe/recipe_edit.h"

namespace calibench {

namespace {

bool is_grouped(const QuantizationArgs& args) { return args.strategy == Strategy::Group || args.strategy == Strategy::TensorGroup; }

/// The text with one group of a modifier changed.
std::string with_group(const std::string& text, const Modifier& modifier, const std::string& name,
                       const std::function<void(QuantizationScheme&)>& change) {
    Modifier after = modifier;
    for (auto& [group, scheme] : after.config_groups)
        if (group == name) change(scheme);
    return write_changes(text, modifier, after);
}

RecipePath field_of(const Modifier& modifier, const std::string& field) {
    RecipePath path = modifier.path;
    path.push_back(field);
    return path;
}

/// Replaces an unknown observer by the nearest, where the modifier or the group names it.
void offer_observer(const Modifier& modifier, const std::string& group, const std::string& base_name, const std::string& name,
                    Diagnostics& diagnostics) {
    const std::string nearest = closest_match(name, observer_names());
    const auto* of_modifier = base_name == "weight" ? &modifier.weight_observer : base_name == "input" ? &modifier.input_observer : &modifier.output_observer;
    auto field = base_name == "weight"  ? &QuantizationScheme::weights
                 : base_name == "input" ? &QuantizationScheme::input_activations
                                        : &QuantizationScheme::output_activations;
    if (nearest.empty()) return;
    diagnostics.offer(concat("Use ", nearest), [&](const std::string& text) {
        if (!of_modifier->has_value())
            return with_group(text, modifier, group, [&](QuantizationScheme& scheme) { (scheme.*field)->observer = nearest; });
        RecipePath in_map = field_of(modifier, "observer");
        in_map.push_back(base_name == "weight" ? "weights" : base_name);
        const std::string removed = without(text, in_map);  // the one that is there is the one to change
        return removed != text ? with_value(text, in_map, nearest) : with_value(text, field_of(modifier, base_name + "_observer"), nearest);
    });
}

/// Unknown names and observer_kwargs that make no sense are found by making the observer.
void check_observer(const Modifier& modifier, const std::string& group, const std::string& base_name,
                    const std::optional<QuantizationArgs>& args, SourcePosition where, Diagnostics& diagnostics) {
    if (!args || !args->observer || args->dynamic == Dynamic::Yes) return;
    const std::string name = base_name == "weight" ? weight_observer_name(*args->observer) : *args->observer;
    try {
        (void)make_observer(name, base_name, *args, {}, args->observer_kwargs);
        if (is_extension_observer(name))
            diagnostics.note(where, concat("the observer ", name, " is an extension of Calibench; llm-compressor refuses this recipe as it is"));
    } catch (const InputError& error) {
        diagnostics.error(where, error.what());
        const std::vector<std::string> known = observer_names();
        if (!group.empty() && std::find(known.begin(), known.end(), name) == known.end()) offer_observer(modifier, group, base_name, *args->observer, diagnostics);
    }
}

/// Why the scales of inputs or outputs cannot be stored; empty when they can, or need not be.
std::string static_scale_obstacle(const std::optional<QuantizationArgs>& args) {
    if (!args || args->dynamic == Dynamic::Yes || args->strategy == Strategy::Tensor || args->strategy == Strategy::TensorGroup) return {};
    return concat("static activations have one scale per tensor, not per ", to_string(*args->strategy), "; use strategy: tensor, or dynamic: true");
}

std::string either(std::vector<std::string> choices) {
    const std::string last = choices.back();
    choices.pop_back();
    return choices.empty() ? last : concat(list_names(choices, choices.size()), " or ", last);
}

/// Group sizes that divide every module's columns, the largest first. None where the format fixes the size.
std::vector<int64_t> sizes_that_fit(const QuantizationArgs& args, const std::vector<const ModuleInfo*>& modules) {
    std::vector<int64_t> sizes;
    if (args.type == QuantizationType::Float || args.strategy == Strategy::TensorGroup) return sizes;
    for (const int64_t size : {256, 128, 64, 32})
        if (std::all_of(modules.begin(), modules.end(), [size](const ModuleInfo* module) { return module->shape.back() % size == 0; }))
            sizes.push_back(size);
    return sizes;
}

/// "Use 64, 32 or channel."
std::string size_advice(const QuantizationArgs& args, const std::vector<int64_t>& sizes) {
    if (args.type == QuantizationType::Float || args.strategy == Strategy::TensorGroup)
        return "The format fixes the group size: add these modules to ignore.";
    std::vector<std::string> choices;
    for (const int64_t size : sizes) choices.push_back(std::to_string(size));
    choices.push_back("channel");
    return concat("Use ", either(choices), ".");
}

void offer_sizes(const Modifier& modifier, const std::string& name, std::optional<QuantizationArgs> QuantizationScheme::*field,
                 const std::vector<int64_t>& sizes, Diagnostics& diagnostics) {
    for (const int64_t size : sizes)
        diagnostics.offer(concat("Use group_size ", size), [&](const std::string& text) {
            return with_group(text, modifier, name, [&](QuantizationScheme& scheme) { (scheme.*field)->group_size = size; });
        });
}

}  // namespace

std::string tuning_obstacle(const QuantizationArgs& weights) {
    if (weights.type == QuantizationType::Float) {
        const bool is_fp8 = weights.num_bits == 8 && weights.strategy != Strategy::TensorGroup;
        const bool is_nvfp4 = weights.num_bits == 4 && weights.strategy == Strategy::TensorGroup;
        return weights.symmetric && (is_fp8 || is_nvfp4 || is_mx(weights)) ? "" : concat("float weights (", describe(weights), ")");
    }
    if (weights.num_bits < 2 || weights.num_bits > 8) return concat(weights.num_bits, "-bit weights");
    const bool tunable = weights.strategy == Strategy::Tensor || weights.strategy == Strategy::Channel || weights.strategy == Strategy::Group;
    return tunable ? "" : concat("weights of strategy ", to_string(*weights.strategy));
}

void check_config_group(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, Diagnostics& diagnostics) {
    const SourcePosition where = modifier.position("config_groups/" + name);
    const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
    if (settings && settings->iters > 0 && scheme.weights) {
        if (const std::string obstacle = tuning_obstacle(*scheme.weights); !obstacle.empty()) {
            diagnostics.error(where, concat("AutoRoundModifier tunes integer weights of 2 to 8 bits per tensor, channel or group, FP8, NVFP4, MXFP4 and "
                                            "MXFP8, but config group '", name, "' has ", obstacle, "; use QuantizationModifier for it, or iters: 0"));
            diagnostics.offer("Use iters 0", [&](const std::string& text) { return with_value(text, field_of(modifier, "iters"), 0); });
        }
    }
    if (scheme.weights && scheme.weights->dynamic != Dynamic::No) {
        diagnostics.error(where, concat("config group '", name, "' has dynamic weights, but their scales are stored; remove `dynamic`"));
        diagnostics.offer("Remove dynamic", [&](const std::string& text) {
            return with_group(text, modifier, name, [](QuantizationScheme& changed) { changed.weights->dynamic = Dynamic::No; });
        });
    }
    if (scheme.weights && infer_format(scheme) == CompressionFormat::Dense) {
        diagnostics.error(where, concat("config group '", name, "' has weights in the format dense, which stores none; remove `format`"));
        diagnostics.offer("Remove format", [&](const std::string& text) {
            return with_group(text, modifier, name, [](QuantizationScheme& changed) { changed.format.reset(); });
        });
    }
    for (const auto field : {&QuantizationScheme::input_activations, &QuantizationScheme::output_activations}) {
        const std::string obstacle = static_scale_obstacle(scheme.*field);
        if (obstacle.empty()) continue;
        diagnostics.error(where, concat("config group '", name, "': ", obstacle));
        diagnostics.offer("Use strategy tensor", [&](const std::string& text) {
            return with_group(text, modifier, name, [&](QuantizationScheme& changed) {
                (changed.*field)->strategy = Strategy::Tensor;
                (changed.*field)->group_size.reset();
                (changed.*field)->block_structure.reset();
            });
        });
    }
    check_observer(modifier, name, "weight", scheme.weights, where, diagnostics);
    check_observer(modifier, name, "input", scheme.input_activations, where, diagnostics);
    check_observer(modifier, name, "output", scheme.output_activations, where, diagnostics);
}

void check_group_size(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, const ModelSummary& model,
                      const std::vector<const ModuleInfo*>& modules, Diagnostics& diagnostics) {
    for (const auto* args : {&scheme.weights, &scheme.input_activations, &scheme.output_activations}) {
        if (!*args || !is_grouped(**args)) continue;
        const int64_t group_size = *(*args)->group_size;
        const bool of_rows = args == &scheme.output_activations;
        std::vector<std::string> unfit;
        std::set<int64_t> columns;
        for (const ModuleInfo* module : modules) {
            if (module->shape.empty()) continue;
            const int64_t extent = of_rows ? module->shape.front() : module->shape.back();
            if (extent % group_size == 0) continue;
            unfit.push_back(module->name);
            columns.insert(extent);
        }
        if (unfit.empty()) continue;
        const std::vector<int64_t> sizes = sizes_that_fit(**args, modules);
        std::vector<std::string> widths;
        for (const int64_t width : columns) widths.push_back(std::to_string(width));
        const char* of_activations = args == &scheme.input_activations ? " of input_activations" : of_rows ? " of output_activations" : "";
        diagnostics.error(modifier.position("config_groups/" + name),
                          concat("group_size ", group_size, of_activations, " does not divide ", list_names(widths), of_rows ? " rows of " : " columns of ",
                                 unfit.size(), unfit.size() == 1 ? " module (" : " modules (", list_names(unfit, 3), "). ",
                                 size_advice(**args, sizes),
                                 modifier.bypass_divisibility_checks
                                     ? " bypass_divisibility_checks cannot help: compressed-tensors stores whole groups only." : ""));
        const auto field = args == &scheme.weights ? &QuantizationScheme::weights
                           : of_rows               ? &QuantizationScheme::output_activations
                                                   : &QuantizationScheme::input_activations;
        if (!of_rows) offer_sizes(modifier, name, field, sizes, diagnostics);
        if (args == &scheme.weights && (*args)->type == QuantizationType::Int && (*args)->strategy == Strategy::Group)
            diagnostics.offer("Use strategy channel", [&](const std::string& text) {
                return with_group(text, modifier, name, [](QuantizationScheme& changed) {
                    changed.weights->strategy = Strategy::Channel;
                    changed.weights->group_size.reset();
                });
            });
        diagnostics.offer(unfit.size() == 1 ? "Ignore " + unfit.front() : concat("Ignore these ", unfit.size(), " modules"),
                          [&](const std::string& text) { return with_ignored(text, model, unfit); });
        return;  // a second message about the same modules would say the same
    }
}

void check_embeddings(const Modifier& modifier, const std::string& name, const QuantizationScheme& scheme, const ModelSummary& model,
                      const std::vector<const ModuleInfo*>& modules, Diagnostics& diagnostics) {
    if (!scheme.input_activations && !scheme.output_activations) return;
    for (const ModuleInfo* module : modules) {
        if (module->class_name != "Embedding") continue;
        diagnostics.error(modifier.position("config_groups/" + name),
                          concat("config group '", name, "' quantizes activations of ", module->name,
                                 ", which looks up token ids and has none; give it a group with weights only, or ignore it"));
        diagnostics.offer("Ignore " + module->name, [&](const std::string& text) { return with_ignored(text, model, {module->name}); });
    }
}

void check_kv_cache(const Modifier& modifier, Diagnostics& diagnostics) {
    const QuantizationArgs& args = *modifier.kv_cache_scheme;
    const SourcePosition where{modifier.line, 0};
    if (args.strategy != Strategy::Tensor && args.strategy != Strategy::AttnHead)
        diagnostics.error(where, concat("kv_cache_scheme: keys and values have one scale (strategy: tensor) or one for every head (attn_head), not ",
                                        to_string(*args.strategy)));
    else
        check_observer(modifier, "", "k", args, where, diagnostics);
}

void check_fused_groups(const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary& model, Diagnostics& diagnostics) {
    const auto is_tensor_group = [](const ResolvedModule& module) {
        return module.scheme.weights && module.scheme.weights->strategy == Strategy::TensorGroup;
    };
    const auto first = std::find_if(resolved.modules.begin(), resolved.modules.end(), is_tensor_group);
    if (first == resolved.modules.end()) return;

    std::vector<std::string> names;
    for (const ModuleInfo& module : model.modules) names.push_back(module.name);
    std::vector<std::unique_ptr<Observer>> observers;
    std::vector<Observer*> used;
    for (const ResolvedModule& module : resolved.modules) {
        if (!module.scheme.weights) continue;
        observers.push_back(make_observer("memoryless_minmax", "weight", *module.scheme.weights, ObservedModule{module.name}));
        used.push_back(observers.back().get());
    }
    try {
        (void)fused_weight_observers(names, used);
    } catch (const InputError& error) {
        diagnostics.error(recipe.modifiers[first->modifier].position("config_groups/" + first->config_group), error.what());
    }
}

}  // namespace calibench
