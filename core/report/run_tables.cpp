#include "core/report/run_tables.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "core/analysis/module_badness.h"
#include "core/base/text.h"
#include "core/report/axis_map.h"
#include "core/report/markup.h"

namespace calibench {
namespace {

constexpr double stands_out = 3;  // dB; what module_badness.h has a word for

std::string number(double value) { return with_digits(value, 6); }
std::string decibels(const std::optional<double>& value) { return value ? std::isinf(*value) ? "exact" : fixed(*value) : std::string(); }
std::string whole(int64_t value) { return value < 0 ? std::string() : concat(value); }

std::string scheme_of(const ModuleOutcome& module) { return module.scheme.empty() ? "as it was" : module.scheme; }

/// Columns of numbers that nobody measured say nothing.
void drop_empty_columns(Table& table) {
    for (size_t column = table.columns.size(); column-- > 0;) {
        if (!table.columns[column].is_number || std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return !row[column].empty(); })) continue;
        table.columns.erase(table.columns.begin() + static_cast<long>(column));
        for (auto& row : table.rows) row.erase(row.begin() + static_cast<long>(column));
    }
}

/// The run's facts in the form in which modules are judged. What a run does not keep (groups, clipping) is alike in all, and so tells nothing.
std::vector<ModuleOverview> overview_of(const RunFacts& run) {
    std::vector<ModuleOverview> modules;
    for (const auto& [name, facts] : run.modules) {
        if (facts.scheme.empty() || !facts.weight_sqnr_db) continue;
        ModuleOverview& module = modules.emplace_back();
        module.weight.module = name;
        module.weight.scheme = facts.scheme;
        module.weight.sqnr_db = *facts.weight_sqnr_db;
        const TensorRange range = facts.weight_range.value_or(TensorRange{-1, 1});
        module.weight.min = range.min;
        module.weight.max = range.max;
        if (facts.output_sqnr_db && facts.local_sqnr_db && facts.inherited_sqnr_db)
            module.output = OutputError{name, *facts.output_sqnr_db, *facts.local_sqnr_db, *facts.inherited_sqnr_db};
    }
    judge_modules(modules);
    return modules;
}

}  // namespace

Table blocks_table(const RunFacts& run) {
    Table table{.columns = {{"Block", true}, {"Name"}, {"Loss, round to nearest", true}, {"Best loss", true}, {"Change in %", true}, {"Best iteration", true}, {"Seconds", true}}, .rows = {}};
    for (const auto& [index, block] : run.blocks) {
        if (!block.finished) continue;
        const bool tuned = block.initial_loss_mse > 0;
        table.rows.push_back({whole(index), block.name, tuned ? number(block.initial_loss_mse) : "", tuned ? number(block.best_loss_mse) : "",
                              tuned ? fixed(100 * (block.best_loss_mse / block.initial_loss_mse - 1), 1) : "", tuned ? whole(block.best_iteration) : "", fixed(block.seconds)});
    }
    return table;
}

Table losses_table(const RunFacts& run) {
    Table table{.columns = {{"Iteration", true}}, .rows = {}};
    size_t iterations = 0;
    std::vector<const BlockFacts*> blocks;
    for (const auto& [index, block] : run.blocks) {
        if (block.loss_mse.size() < 2) continue;
        table.columns.push_back({concat("Block ", index), true});
        blocks.push_back(&block);
        iterations = std::max(iterations, block.loss_mse.size());
    }
    for (size_t i = 0; i < iterations; ++i) {
        std::vector<std::string> row{concat(i)};
        for (const BlockFacts* block : blocks) row.push_back(i < block->loss_mse.size() ? number(block->loss_mse[i]) : "");
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table modules_table(const RunFacts& run) {
    Table table{.columns = {{"Module"}, {"Scheme"}, {"SQNR of weight, dB", true}, {"of output, dB", true}, {"local, dB", true}, {"inherited, dB", true},
                            {"Weight from", true}, {"to", true}, {"Input from", true}, {"to", true}, {"Tokens", true}}, .rows = {}};
    for (const auto& [name, module] : run.modules) {
        const auto end = [](const std::optional<TensorRange>& range, double TensorRange::*which) { return range ? number((*range).*which) : std::string(); };
        table.rows.push_back({name, scheme_of(module), decibels(module.weight_sqnr_db), decibels(module.output_sqnr_db),
                              decibels(module.local_sqnr_db), decibels(module.inherited_sqnr_db), end(module.weight_range, &TensorRange::min), end(module.weight_range, &TensorRange::max),
                              end(module.input_range, &TensorRange::min), end(module.input_range, &TensorRange::max), module.tokens ? whole(*module.tokens) : ""});
    }
    drop_empty_columns(table);
    return table;
}

Table expert_tokens_table(const RunFacts& run) {
    Table table{.columns = {{"Block", true}, {"Expert", true}, {"Tokens", true}}, .rows = {}};
    std::map<std::pair<int64_t, int64_t>, int64_t> tokens;
    for (const auto& [name, module] : run.modules)
        if (module.expert >= 0 && module.tokens) tokens.try_emplace({module.block, module.expert}, *module.tokens);
    for (const auto& [place, count] : tokens) table.rows.push_back({whole(place.first), whole(place.second), whole(count)});
    return table;
}

WorstModules worst_modules(const RunFacts& run, size_t most) {
    std::vector<ModuleOverview> modules = overview_of(run);
    WorstModules worst{.stand_out = std::any_of(modules.begin(), modules.end(), [](const auto& module) { return module.badness >= stands_out; }),
                       .table = {.columns = {{"Module"}, {"Scheme"}, {"SQNR of weight, dB", true}, {"of output, dB", true}}, .rows = {}}};
    if (worst.stand_out) {
        std::erase_if(modules, [](const auto& module) { return module.badness < stands_out; });
        std::stable_sort(modules.begin(), modules.end(), [](const auto& a, const auto& b) { return a.badness > b.badness; });
        worst.table.columns.push_back({"What makes it worse"});
    } else {
        std::stable_sort(modules.begin(), modules.end(), [](const auto& a, const auto& b) { return a.weight.sqnr_db < b.weight.sqnr_db; });
    }
    for (size_t i = 0; i < std::min(most, modules.size()); ++i) {
        const ModuleOverview& module = modules[i];
        worst.table.rows.push_back({module.weight.module, module.weight.scheme, decibels(module.weight.sqnr_db),
                                    module.output ? decibels(module.output->output_sqnr_db) : ""});
        if (worst.stand_out) worst.table.rows.back().push_back(module.reason);
    }
    drop_empty_columns(worst.table);
    return worst;
}

Table module_changes_table(const NamedRun& base, const NamedRun& other) {
    Table table{.columns = {{"Module"}, {"Scheme"}, {concat("SQNR of weight, dB, ", base.name), true}, {other.name, true}, {"change", true},
                            {concat("SQNR of output, dB, ", base.name), true}, {other.name, true}, {"change", true}}, .rows = {}};
    std::unordered_map<std::string, const ModuleOutcome*> before;
    for (const auto& [name, module] : base.facts->modules) before.emplace(name, &module);
    const auto change = [](const std::optional<double>& from, const std::optional<double>& to) -> std::optional<double> {
        if (!from || !to || !std::isfinite(*from) || !std::isfinite(*to)) return {};
        return *to - *from;
    };
    std::vector<std::pair<double, std::vector<std::string>>> rows;  // with what they are sorted by
    for (const auto& [name, now] : other.facts->modules) {
        const auto known = before.find(name);
        if (known == before.end() || (known->second->scheme.empty() && now.scheme.empty())) continue;
        const ModuleOutcome& then = *known->second;
        const auto weight = change(then.weight_sqnr_db, now.weight_sqnr_db), output = change(then.output_sqnr_db, now.output_sqnr_db);
        rows.push_back({output.value_or(weight.value_or(0)),
                        {name, then.scheme == now.scheme ? now.scheme : concat(scheme_of(then), " → ", scheme_of(now)), decibels(then.weight_sqnr_db), decibels(now.weight_sqnr_db), weight ? fixed(*weight) : "",
                         decibels(then.output_sqnr_db), decibels(now.output_sqnr_db), output ? fixed(*output) : ""}});
    }
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [key, row] : rows) table.rows.push_back(std::move(row));
    drop_empty_columns(table);
    return table;
}

}  // namespace calibench
