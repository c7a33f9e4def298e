#include <algorithm>
#include <map>

#include "core/base/text.h"
#include "core/recipe/fixes.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/recipe.h"
#include "core/recipe/scheme_checks.h"
#include "core/recipe/target_list.h"

namespace calibench {

namespace {

bool has_arguments(const QuantizationScheme& scheme) {
    return scheme.weights || scheme.input_activations || scheme.output_activations;
}

std::string count_modules(size_t count) { return concat(count, count == 1 ? " module" : " modules"); }

std::string escape_dots(const std::string& name) {
    std::string escaped;
    for (const char c : name) escaped += c == '.' ? std::string("\\.") : std::string(1, c);
    return escaped;
}

/// Holds one modifier's targets and ignore list against the model.
class ModifierResolver {
public:
    ModifierResolver(const Modifier& modifier, const ModelSummary& model, Diagnostics& diagnostics)
        : modifier_(modifier), model_(model), diagnostics_(diagnostics), modules_of_group_(modifier.config_groups.size()) {
        for (size_t g = 0; g < modifier.config_groups.size(); ++g) {
            const auto& [name, scheme] = modifier.config_groups[g];
            for (size_t i = 0; i < scheme.targets.size(); ++i) {
                targets_.add(scheme.targets[i], modifier.position(concat("config_groups/", name, "/targets/", i)), diagnostics);
                group_of_target_.push_back(g);
            }
        }
        for (size_t i = 0; i < modifier.ignore.size(); ++i)
            ignore_.add(modifier.ignore[i], modifier.position(concat("ignore/", i)), diagnostics);
        counts_.resize(targets_.size());
        other_counts_.resize(targets_.size());
        ignore_counts_.resize(ignore_.size());
    }

    /// The config group of every module that gets one, by position in model.modules.
    std::map<size_t, size_t> resolve() {
        std::map<size_t, size_t> group_of_module;
        for (size_t m = 0; m < model_.modules.size(); ++m)
            if (const auto group = group_for(model_.modules[m])) {
                group_of_module[m] = *group;
                modules_of_group_[*group].push_back(&model_.modules[m]);
            }
        report_targets();
        report_ignore();
        report_groups();
        return group_of_module;
    }

    [[nodiscard]] std::vector<TargetMatch> target_matches(size_t modifier_index) const {
        std::vector<TargetMatch> matches;
        for (size_t t = 0; t < targets_.size(); ++t)
            matches.push_back({modifier_index, modifier_.config_groups[group_of_target_[t]].first, targets_.text(t), counts_[t]});
        return matches;
    }

private:
    std::optional<size_t> group_for(const ModuleInfo& module) {
        const auto hits = targets_.match(module.name, module.class_name, diagnostics_);
        for (const auto& hit : hits) ++(is_quantizable(module) ? counts_ : other_counts_)[hit.index];
        const auto ignored = ignore_.match(module.name, module.class_name, diagnostics_);
        for (const auto& hit : ignored) ++ignore_counts_[hit.index];
        if (hits.empty() || !ignored.empty() || !is_quantizable(module)) return {};

        // compressed_tensors match_targets: name, then pattern, then class, each alphabetically; a target written twice counts
        // where it stands last.
        const auto best = std::max_element(hits.begin(), hits.end(), [this](const auto& a, const auto& b) {
            if (a.match != b.match) return a.match < b.match;
            if (const int order = targets_.text(a.index).compare(targets_.text(b.index))) return order > 0;
            return a.index < b.index;
        });
        const size_t group = group_of_target_[best->index];
        for (const auto& hit : hits)
            if (group_of_target_[hit.index] < group) overtaken_[{group_of_target_[hit.index], group}].push_back(module.name);
        return group;
    }

    void report_targets() {
        for (size_t t = 0; t < targets_.size(); ++t) {
            if (counts_[t] > 0 || !targets_.usable(t)) continue;
            if (other_counts_[t] > 0)
                diagnostics_.error(targets_.position(t), concat("target ", targets_.text(t), " matches ", count_modules(other_counts_[t]),
                                                                ", but no Linear or Embedding, and nothing else is quantized"));
            else
                diagnostics_.error(targets_.position(t), concat("target ", targets_.text(t), " matches none of the ", model_.modules.size(),
                                                                " modules", suggestion(targets_.text(t))));
            offer_target(targets_, t);
            if (modifier_.config_groups[group_of_target_[t]].second.targets.size() > 1) offer_removal(targets_, t, "target");
        }
    }

    void report_ignore() {
        for (size_t i = 0; i < ignore_.size(); ++i) {
            if (ignore_counts_[i] > 0 || !ignore_.usable(i)) continue;
            // A tied head has no weight of its own, and nearly every recipe ignores lm_head.
            if (ignore_.text(i) == "lm_head" && model_.tied_embeddings) continue;
            diagnostics_.warning(ignore_.position(i), concat("ignore ", ignore_.text(i), " matches none of the ", model_.modules.size(),
                                                             " modules", suggestion(ignore_.text(i))));
            offer_target(ignore_, i);
            offer_removal(ignore_, i, "entry");
        }
    }

    void report_groups() {
        for (size_t g = 0; g < modifier_.config_groups.size(); ++g) {
            const auto& [name, scheme] = modifier_.config_groups[g];
            check_config_group(modifier_, name, scheme, diagnostics_);
            check_group_size(modifier_, name, scheme, model_, modules_of_group_[g], diagnostics_);
            check_embeddings(modifier_, name, scheme, model_, modules_of_group_[g], diagnostics_);
            if (!has_arguments(scheme) && !modifier_.kv_cache_scheme)
                diagnostics_.warning(modifier_.position("config_groups/" + name),
                                     concat("config group '", name, "' names neither weights nor activations, so its ",
                                            count_modules(modules_of_group_[g].size()), " stay as they are"));
        }
        for (const auto& [groups, modules] : overtaken_)
            diagnostics_.note(modifier_.position("config_groups/" + modifier_.config_groups[groups.first].first),
                              concat(count_modules(modules.size()), " (", list_names(modules, 3), ") of config group '",
                                     modifier_.config_groups[groups.first].first, "' go to '",
                                     modifier_.config_groups[groups.second].first,
                                     "', as in compressed-tensors: a name goes before a pattern, a pattern before a class name"));
    }

    /// "; did you mean re:.*down_proj$".
    [[nodiscard]] std::string suggestion(const std::string& text) const {
        if (text.rfind("re:", 0) == 0) return "; a pattern must match from the start of the full name, so begin it with re:.*";
        const std::string nearest = nearest_target(text);
        return nearest.empty() ? "" : "; did you mean " + nearest;
    }

    /// What may have been meant by a target that matches nothing: a pattern for the last part of a name, else the nearest name.
    [[nodiscard]] std::string nearest_target(const std::string& text) const {
        if (text.rfind("re:", 0) == 0) return "re:.*" + text.substr(3);
        const auto any_module = [this](const auto& predicate) {
            return std::any_of(model_.modules.begin(), model_.modules.end(), predicate);
        };
        if (any_module([&](const ModuleInfo& module) { return module.name.ends_with("." + text); })) return concat("re:.*", escape_dots(text), "$");
        if (any_module([&](const ModuleInfo& module) { return module.name.rfind(text + ".", 0) == 0; }))
            return concat("re:", escape_dots(text), "\\.");
        if (any_module([&](const ModuleInfo& module) { return module.name.find("." + text + ".") != std::string::npos; }))
            return concat("re:.*\\.", escape_dots(text), "\\.");
        std::vector<std::string> names = {"Linear", "Embedding"};
        for (const ModuleInfo& module : model_.modules) names.push_back(module.name);
        return closest_match(text, names);
    }

    void offer_target(const TargetList& list, size_t index) {
        const std::string nearest = nearest_target(list.text(index));
        if (nearest.empty()) return;
        diagnostics_.offer("Use " + nearest, [&](const std::string& text) {
            if (matched_modules(nearest, model_).empty()) return text;
            return with_value_at(text, list.position(index), nearest);
        });
    }

    void offer_removal(const TargetList& list, size_t index, const std::string& what) {
        diagnostics_.offer("Remove this " + what, [&](const std::string& text) { return without_item_at(text, list.position(index)); });
    }

    const Modifier& modifier_;
    const ModelSummary& model_;
    Diagnostics& diagnostics_;
    TargetList targets_, ignore_;
    std::vector<size_t> group_of_target_;
    std::vector<size_t> counts_, other_counts_, ignore_counts_;
    std::vector<std::vector<const ModuleInfo*>> modules_of_group_;
    std::map<std::pair<size_t, size_t>, std::vector<std::string>> overtaken_;  ///< modules of an earlier group that a later one takes
};

/// Tells of modules that several modifiers target: whoever comes last decides, as its initialize() runs last in llm-compressor.
void report_taken_over(const Recipe& recipe, const std::map<std::pair<size_t, size_t>, std::vector<std::string>>& taken_over,
                       Diagnostics& diagnostics) {
    for (const auto& [modifiers, modules] : taken_over) {
        const Modifier& later = recipe.modifiers[modifiers.second];
        const Modifier& earlier = recipe.modifiers[modifiers.first];
        diagnostics.warning({later.line, 0}, concat(count_modules(modules.size()), " (", list_names(modules, 3), ") ",
                                                    modules.size() == 1 ? "is" : "are", " targeted by ", earlier.class_name,
                                                    " on line ", earlier.line, " too; the last modifier decides"));
    }
}

}  // namespace

const ResolvedModule* ResolvedRecipe::find(const std::string& name) const {
    const auto found = std::find_if(modules.begin(), modules.end(), [&](const ResolvedModule& module) { return module.name == name; });
    return found == modules.end() ? nullptr : &*found;
}

bool ResolvedRecipe::has_errors() const {
    return std::any_of(diagnostics.begin(), diagnostics.end(),
                       [](const Diagnostic& diagnostic) { return diagnostic.severity == Diagnostic::Severity::Error; });
}

ResolvedRecipe resolve_recipe(const Recipe& recipe, const ModelSummary& model) {
    Diagnostics diagnostics(recipe.source);
    ResolvedRecipe resolved;
    std::map<size_t, ResolvedModule> scheme_of;  // by position in model.modules
    std::map<std::pair<size_t, size_t>, std::vector<std::string>> taken_over;
    for (size_t i = 0; i < recipe.modifiers.size(); ++i) {
        const Modifier& modifier = recipe.modifiers[i];
        if (modifier.kv_cache_scheme) {
            check_kv_cache(modifier, diagnostics);
            resolved.kv_cache_scheme = modifier.kv_cache_scheme;
        }
        ModifierResolver resolver(modifier, model, diagnostics);
        for (const auto& [module, group] : resolver.resolve()) {
            const auto& [name, scheme] = modifier.config_groups[group];
            if (!has_arguments(scheme)) continue;
            if (const auto earlier = scheme_of.find(module); earlier != scheme_of.end())
                taken_over[{earlier->second.modifier, i}].push_back(earlier->second.name);
            scheme_of[module] = {model.modules[module].name, scheme, name, i};
        }
        for (TargetMatch& match : resolver.target_matches(i)) resolved.targets.push_back(std::move(match));
    }
    report_taken_over(recipe, taken_over, diagnostics);
    if (scheme_of.empty() && !resolved.kv_cache_scheme && !diagnostics.has_errors())
        diagnostics.error({}, "the recipe quantizes no module of this model; every targeted one is ignored");

    for (size_t m = 0; m < model.modules.size(); ++m) {
        if (const auto found = scheme_of.find(m); found != scheme_of.end())
            resolved.modules.push_back(std::move(found->second));
        else if (model.modules[m].class_name == "Linear")
            resolved.ignored.push_back(model.modules[m].name);
    }
    check_fused_groups(recipe, resolved, model, diagnostics);
    resolved.diagnostics = diagnostics.take();
    return resolved;
}

}  // namespace calibench
