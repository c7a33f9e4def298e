#include "core/calibration/block_recipe.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/autoround/sign_sgd.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {
namespace {

/// A recipe and what it means for the model.
struct Reading {
    Recipe recipe;
    std::string yaml;
    ResolvedRecipe resolved;
};

void throw_first_error(const std::vector<Diagnostic>& diagnostics) {
    const auto error = std::find_if(diagnostics.begin(), diagnostics.end(),
                                    [](const Diagnostic& diagnostic) { return diagnostic.severity == Diagnostic::Severity::Error; });
    if (error == diagnostics.end()) return;
    throw InputError(concat("recipe", error->line > 0 ? concat(", line ", error->line) : "", ": ", error->message));
}

Reading resolve(Recipe recipe, std::string yaml, const ModelSummary& model) {
    Reading reading{std::move(recipe), std::move(yaml), {}};
    reading.resolved = resolve_recipe(reading.recipe, model);
    throw_first_error(reading.resolved.diagnostics);
    return reading;
}

Reading read(const std::string& yaml, const RunPlan& plan) {
    ParsedRecipe parsed = parse_recipe(yaml);
    throw_first_error(parsed.diagnostics);
    apply_overrides(*parsed.recipe, plan.config);
    return resolve(std::move(*parsed.recipe), yaml, plan.summary);
}

std::set<std::string> modules_of(const ModelSummary& model, BlockRange blocks) {
    std::set<std::string> names;
    for (const ModuleInfo& module : model.modules)
        if (blocks.contains(module.block)) names.insert(module.name);
    return names;
}

/// Whether a recipe leaves everything outside of the blocks as the run has planned it. How those before them were tuned is past.
bool agrees_elsewhere(const Reading& reading, const RunPlan& plan, BlockRange blocks) {
    const std::set<std::string> changeable = modules_of(plan.summary, blocks);
    size_t expected = (plan.head ? 1 : 0) + (plan.embedding ? 1 : 0);
    for (size_t b = 0; b < plan.blocks.size(); ++b)
        if (!blocks.contains(static_cast<int64_t>(b))) expected += plan.blocks[b].size();
    std::map<std::string, const ModuleInfo*> info;
    for (const ModuleInfo& module : plan.summary.modules) info[module.name] = &module;

    for (const ResolvedModule& module : reading.resolved.modules) {
        if (changeable.contains(module.name)) continue;
        const ModuleInfo& where = *info.at(module.name);
        const ModulePlan* planned = nullptr;
        if (where.block >= 0) {
            const ModulePlans& modules = plan.blocks[static_cast<size_t>(where.block)];
            if (const auto found = modules.find(module.name); found != modules.end()) planned = &found->second;
        } else if (const auto& outer = where.class_name == "Embedding" ? plan.embedding : plan.head) {
            planned = &*outer;
        }
        if (!planned || !same_scheme(planned->scheme, module.scheme)) return false;
        const auto tuning = where.block >= blocks.end() ? tuning_of(reading.recipe.modifiers[module.modifier], plan) : std::nullopt;
        if (where.block >= blocks.end() && tuning != (planned->tuning ? std::optional(plan.tunings[*planned->tuning]) : std::nullopt)) return false;
        --expected;
    }
    return expected == 0 && reading.resolved.kv_cache_scheme == plan.kv_cache;
}

/// The run's recipe, which leaves the blocks to new modifiers at its end: those of `given`, for the blocks' modules by name.
Recipe compose(const Reading& given, const RunPlan& plan, BlockRange blocks) {
    Recipe recipe = plan.recipe;
    const std::set<std::string> modules = modules_of(plan.summary, blocks);
    std::vector<std::string> names;
    for (const ModuleInfo& module : plan.summary.modules)
        if (module.class_name == "Linear" && modules.contains(module.name)) names.push_back(module.name);
    for (Modifier& modifier : recipe.modifiers)
        for (const std::string& name : names)
            if (std::find(modifier.ignore.begin(), modifier.ignore.end(), name) == modifier.ignore.end()) modifier.ignore.push_back(name);

    for (size_t i = 0; i < given.recipe.modifiers.size(); ++i) {
        Modifier modifier = given.recipe.modifiers[i];
        modifier.group = concat("block_", blocks.first);
        modifier.targets = Modifier{}.targets;
        modifier.ignore.clear();
        modifier.scheme.reset();
        modifier.kv_cache_scheme.reset();
        modifier.positions.clear();
        for (auto& [group, scheme] : modifier.config_groups) {
            scheme.targets.clear();
            for (const ResolvedModule& module : given.resolved.modules)
                if (module.modifier == i && module.config_group == group && modules.contains(module.name)) scheme.targets.push_back(module.name);
        }
        std::erase_if(modifier.config_groups, [](const auto& group) { return group.second.targets.empty(); });
        if (!modifier.config_groups.empty()) recipe.modifiers.push_back(std::move(modifier));
    }
    return recipe;
}

/// The recipe `yaml` for the blocks' modules and the run's own for all others.
Reading mix(const std::string& yaml, const RunPlan& plan, BlockRange blocks) {
    Reading given = read(yaml, plan);
    if (agrees_elsewhere(given, plan, blocks)) return given;
    Recipe composed = compose(given, plan, blocks);
    std::string text = to_yaml(composed);
    Reading mixed = resolve(std::move(composed), std::move(text), plan.summary);
    if (!agrees_elsewhere(mixed, plan, blocks))
        throw InputError("the recipe cannot be mixed with what the other blocks follow. Change only this block's modules in it.");
    return mixed;
}

/// What `reading` means for the blocks, with the iterations and rates that were ordered for it.
void plan_blocks(BlockRecipe& changed, const Reading& reading, const RunPlan& plan, BlockRange blocks) {
    std::map<std::string, const ModuleInfo*> info;
    for (const ModuleInfo& module : plan.summary.modules) info[module.name] = &module;
    changed.modules.clear();
    changed.tunings.clear();
    std::vector<Modifier> modifiers = reading.recipe.modifiers;
    for (Modifier& modifier : modifiers) {
        auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
        if (!settings) continue;
        settings->iters = changed.iters.value_or(settings->iters);
        if (changed.lr) settings->lr = changed.lr;
        if (changed.minmax_lr) settings->minmax_lr = changed.minmax_lr;
    }
    std::map<size_t, std::optional<size_t>> tuning_index;  // by modifier
    for (const ResolvedModule& module : reading.resolved.modules) {
        const ModuleInfo& where = *info.at(module.name);
        if (!blocks.contains(where.block)) continue;
        const Modifier& modifier = modifiers[module.modifier];
        const auto [index, is_new] = tuning_index.try_emplace(module.modifier);
        if (const auto tuning = is_new ? tuning_of(modifier, plan) : std::nullopt) {
            index->second = changed.tunings.size();
            changed.tunings.push_back(*tuning);
        }
        changed.modules.emplace(module.name, plan_module(modifier, module, where, index->second));
    }
}

void check_numbers(const BlockOrder& order) {
    if (order.iters && *order.iters < 0) throw InputError("the number of iterations cannot be negative.");
    for (const auto& rate : {order.lr, order.minmax_lr})
        if (rate && !(std::isfinite(*rate) && *rate > 0)) throw InputError("a learning rate must be a number above 0.");
}

const ModulePlan* first_tuned(const BlockRecipe& recipe) {
    const auto found = std::find_if(recipe.modules.begin(), recipe.modules.end(), [](const auto& entry) { return entry.second.tuning.has_value(); });
    return found == recipe.modules.end() ? nullptr : &found->second;
}

bool same_module(const ModulePlan& a, const ModulePlan& b) {
    return same_scheme(a.scheme, b.scheme) && a.tuning.has_value() == b.tuning.has_value() && a.opt_rtn == b.opt_rtn &&
           a.weighs_inputs == b.weighs_inputs;
}

}  // namespace

int64_t BlockRecipe::max_iters() const {
    int64_t most = 0;
    for (const auto& [name, module] : modules)
        if (module.tuning) most = std::max(most, tunings[*module.tuning].iters);
    return most;
}

double BlockRecipe::rounding_lr() const {
    const ModulePlan* tuned = first_tuned(*this);
    return tuned ? rounding_rate(tunings[*tuned->tuning], tuned->scheme.weights->num_bits) : 0;
}

double BlockRecipe::ranges_lr() const {
    const ModulePlan* tuned = first_tuned(*this);
    return tuned ? minmax_rate(tunings[*tuned->tuning], tuned->scheme.weights->num_bits) : 0;
}

BlockRecipe planned_recipe(const RunPlan& plan, BlockRange blocks) {
    ModulePlans modules;
    for (int64_t block = blocks.first; block < blocks.end(); ++block)
        modules.insert(plan.blocks[static_cast<size_t>(block)].begin(), plan.blocks[static_cast<size_t>(block)].end());
    return {std::move(modules), plan.tunings, plan.recipe, plan.config.recipe_yaml, plan.quantization_config, {}, {}, {}};
}

BlockRecipe changed_recipe(const BlockRecipe& before, const BlockOrder& order, const RunPlan& plan, BlockRange blocks) {
    check_numbers(order);
    BlockRecipe changed = before;
    if (order.iters) changed.iters = order.iters;
    if (order.lr) changed.lr = order.lr;
    if (order.minmax_lr) changed.minmax_lr = order.minmax_lr;
    Reading reading = order.recipe_yaml.empty() ? resolve(before.recipe, before.recipe_yaml, plan.summary) : mix(order.recipe_yaml, plan, blocks);
    plan_blocks(changed, reading, plan, blocks);
    if (order.iters.value_or(0) > 0 && order.recipe_yaml.empty() && changed.max_iters() == 0)
        throw InputError("the block is rounded to nearest, so there is nothing to iterate. Give it a recipe with AutoRoundModifier.");
    changed.quantization_config = quantization_config_of(reading.resolved, plan.summary);
    changed.recipe = std::move(reading.recipe);
    changed.recipe_yaml = std::move(reading.yaml);
    return changed;
}

void follow_recipe(RunPlan& plan, BlockRange blocks, const BlockRecipe& recipe) {
    for (int64_t block = blocks.first; block < blocks.end(); ++block) plan.blocks[static_cast<size_t>(block)].clear();
    for (const auto& [name, module] : recipe.modules) {
        ModulePlan& planned = plan.blocks[static_cast<size_t>(plan.block_of.at(name))][name] = module;
        planned.tuning.reset();
    }
    plan.recipe = recipe.recipe;
    plan.config.recipe_yaml = recipe.recipe_yaml;
    plan.quantization_config = recipe.quantization_config;
}

bool same_scheme(QuantizationScheme a, QuantizationScheme b) {
    a.targets.clear();
    b.targets.clear();
    return a == b;
}

bool same_schemes(const BlockRecipe& a, const BlockRecipe& b) {
    return std::equal(a.modules.begin(), a.modules.end(), b.modules.begin(), b.modules.end(),
                      [](const auto& one, const auto& other) { return one.first == other.first && same_module(one.second, other.second); });
}

std::string describe_changes(const BlockRecipe& before, const BlockRecipe& after) {
    std::vector<std::string> changes;
    const auto note = [&](const char* what, auto from, auto to) {
        if (from != to) changes.push_back(concat(what, " ", from, " -> ", to));
    };
    note("iters", before.max_iters(), after.max_iters());
    note("lr", before.rounding_lr(), after.rounding_lr());
    if (after.ranges_lr() != after.rounding_lr() || before.ranges_lr() != before.rounding_lr()) note("minmax_lr", before.ranges_lr(), after.ranges_lr());

    size_t schemes = 0;
    std::set<std::string> names;
    for (const auto* recipe : {&before, &after})
        for (const auto& [name, module] : recipe->modules) names.insert(name);
    for (const std::string& name : names) {
        const auto old = before.modules.find(name), now = after.modules.find(name);
        if (old == before.modules.end() || now == after.modules.end() || !same_module(old->second, now->second)) ++schemes;
    }
    if (schemes > 0) changes.push_back(concat("scheme of ", schemes, schemes == 1 ? " module" : " modules"));
    return changes.empty() ? "the same settings" : list_names(changes);
}

}  // namespace calibench
