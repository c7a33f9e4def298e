#include "core/report/run_figures.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "core/base/text.h"

namespace calibench {
namespace {

constexpr size_t drawn_points = 400;  // of a curve: more than there are dots in its width on paper

bool is_number(const std::string& part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c); });
}

/// Keeps the smallest and the largest of each stretch: a peak is seen however long the curve is.
std::vector<std::array<double, 2>> thinned(const std::vector<double>& values) {
    std::vector<std::array<double, 2>> points;
    const size_t stretch = std::max<size_t>(1, 2 * values.size() / drawn_points);
    for (size_t begin = 0; begin < values.size(); begin += stretch) {
        const auto first = values.begin() + static_cast<long>(begin), last = values.begin() + static_cast<long>(std::min(begin + stretch, values.size()));
        const auto add = [&](auto at) { points.push_back({static_cast<double>(at - values.begin()), *at}); };
        const auto [low, high] = std::minmax_element(first, last);
        if (stretch > 1) add(std::min(low, high));
        if (stretch == 1 || low != high) add(std::max(low, high));
    }
    return points;
}

/// The projections of a run's blocks, in the order in which they appear.
std::vector<std::string> projections_of(const RunFacts& run, const std::function<bool(const ModuleOutcome&)>& counts) {
    std::vector<std::string> all;
    for (const auto& [name, module] : run.modules) {
        if (module.block < 0 || !counts(module)) continue;
        if (const std::string projection = projection_of(name); std::find(all.begin(), all.end(), projection) == all.end()) all.push_back(projection);
    }
    return all;
}

size_t count_blocks(const RunFacts& run) {
    int64_t count = run.started.num_blocks;
    for (const auto& [name, module] : run.modules) count = std::max(count, module.block + 1);
    return static_cast<size_t>(std::max<int64_t>(0, count));
}

/// A map of blocks and projections in which the lowest of those numbers stands that share a place.
Figure map_figure(const RunFacts& run, const std::string& title, Cells cells, const std::function<std::optional<double>(const std::string&, const ModuleOutcome&)>& number) {
    cells.rows = projections_of(run, [](const ModuleOutcome&) { return true; });
    cells.columns = count_blocks(run);
    cells.values.assign(cells.rows.size() * cells.columns, {});
    for (const auto& [name, module] : run.modules) {
        const auto value = module.block >= 0 ? number(name, module) : std::nullopt;
        if (!value) continue;
        const auto row = std::find(cells.rows.begin(), cells.rows.end(), projection_of(name)) - cells.rows.begin();
        auto& cell = cells.at(static_cast<size_t>(row), static_cast<size_t>(module.block));
        cell = cell ? std::min(*cell, *value) : *value;
    }
    return {.title = title, .panels = {{.x = {.label = "Block", .whole_numbers = true}, .marks = std::move(cells)}}};
}

bool all_empty(const Figure& figure) {
    const auto& values = std::get<Cells>(figure.panels.front().marks).values;
    return std::none_of(values.begin(), values.end(), [](const auto& value) { return value.has_value(); });
}

Panel range_panel(const RunFacts& run, const std::string& projection, std::optional<TensorRange> ModuleOutcome::*range, const char* what) {
    std::map<int64_t, Bars::Bar> bars;  // by block; of experts all together
    double smallest = INFINITY, largest = 0;
    for (const auto& [name, module] : run.modules) {
        if (module.block < 0 || !(module.*range) || projection_of(name) != projection) continue;
        const TensorRange& seen = *(module.*range);
        const auto [bar, is_new] = bars.try_emplace(module.block, Bars::Bar{static_cast<double>(module.block), seen.min, seen.max});
        bar->second.low = std::min(bar->second.low, seen.min);
        bar->second.high = std::max(bar->second.high, seen.max);
        const double magnitude = std::max(std::abs(seen.min), std::abs(seen.max));
        if (magnitude > 0 && std::isfinite(magnitude)) smallest = std::min(smallest, magnitude), largest = std::max(largest, magnitude);
    }
    Bars marks;
    for (const auto& [block, bar] : bars) marks.bars.push_back(bar);
    const auto scale = largest > 1000 * smallest ? Axis::Scale::Symlog : Axis::Scale::Linear;
    return {.title = concat(projection, ", ", what), .x = {.label = "Block", .whole_numbers = true}, .y = {.label = "Value", .scale = scale},
            .marks = std::move(marks), .height = 64};
}

}  // namespace

std::string projection_of(const std::string& module) {
    const size_t dot = module.rfind('.');
    if (dot == std::string::npos) return module;
    const std::string own = module.substr(dot + 1), before = module.substr(0, dot), parent = before.substr(before.rfind('.') + 1);
    if (is_number(parent)) return concat("experts.", own);
    return parent == "self_attn" || parent == "mlp" ? own : concat(parent, ".", own);
}

std::optional<Figure> block_losses_figure(const RunFacts& run) {
    Dumbbells marks{.from_name = "round to nearest", .to_name = "best", .pairs = {}};
    for (const auto& [index, block] : run.blocks)
        if (block.finished && block.initial_loss_mse > 0) marks.pairs.push_back({static_cast<double>(index), block.initial_loss_mse, block.best_loss_mse});
    if (marks.pairs.empty()) return {};
    return Figure{.title = "Loss of each block, before and after tuning",
                  .panels = {{.x = {.label = "Block", .whole_numbers = true}, .y = {.label = "Loss (mean squared error)", .scale = Axis::Scale::Log}, .marks = marks}}};
}

std::optional<Figure> loss_curves_figure(const RunFacts& run) {
    Curves marks{.curves = {}, .ordered = true};
    for (const auto& [index, block] : run.blocks)
        if (block.loss_mse.size() > 1) marks.curves.push_back({concat("Block ", index), thinned(block.loss_mse)});
    if (marks.curves.empty()) return {};
    return Figure{.title = "Loss of each block while it was tuned",
                  .panels = {{.x = {.label = "Iteration", .whole_numbers = true}, .y = {.label = "Loss (mean squared error)", .scale = Axis::Scale::Log},
                              .marks = marks, .height = 300}}};
}

std::optional<Figure> module_map_figure(const RunFacts& run, ModuleNumber number, const std::string& label) {
    Figure figure = map_figure(run, concat(label, " by block and projection"), {.label = label},
                               [&](const std::string&, const ModuleOutcome& module) { return module.*number; });
    return all_empty(figure) ? std::nullopt : std::optional(std::move(figure));
}

std::optional<Figure> ranges_figure(const RunFacts& run) {
    Figure figure{.title = "Ranges of weights and inputs by block", .panels = {}, .columns = 2};
    const auto known = [](const ModuleOutcome& module) { return module.weight_range || module.input_range; };
    for (const std::string& projection : projections_of(run, known)) {
        figure.panels.push_back(range_panel(run, projection, &ModuleOutcome::weight_range, "weights"));
        figure.panels.push_back(range_panel(run, projection, &ModuleOutcome::input_range, "inputs"));
    }
    return figure.panels.empty() ? std::nullopt : std::optional(std::move(figure));
}

std::optional<Figure> expert_tokens_figure(const RunFacts& run) {
    std::map<std::pair<int64_t, int64_t>, int64_t> tokens;  // by block and expert, whose projections all see the same
    std::map<int64_t, int64_t> of_block;
    int64_t experts = 0;
    for (const auto& [name, module] : run.modules) {
        if (module.expert < 0 || !module.tokens || !tokens.try_emplace({module.block, module.expert}, *module.tokens).second) continue;
        of_block[module.block] += *module.tokens;
        experts = std::max(experts, module.expert + 1);
    }
    if (tokens.empty()) return {};
    Cells cells{.rows = {}, .columns = static_cast<size_t>(experts), .values = {}, .label = "Share of the block's tokens, %"};
    for (const auto& [block, total] : of_block) {
        cells.rows.push_back(concat("Block ", block));
        for (int64_t expert = 0; expert < experts; ++expert) {
            const auto count = tokens.find({block, expert});
            cells.values.push_back(count == tokens.end() ? std::nullopt : std::optional(100.0 * static_cast<double>(count->second) / static_cast<double>(std::max<int64_t>(1, total))));
        }
    }
    return Figure{.title = "Share of its block's tokens that each expert saw", .panels = {{.x = {.label = "Expert", .whole_numbers = true}, .marks = std::move(cells)}}};
}

std::optional<Figure> best_losses_figure(const std::vector<NamedRun>& runs) {
    Curves marks{.curves = {}, .dots = true};
    for (const NamedRun& run : runs) {
        Curves::Curve curve{.name = run.name, .points = {}};
        for (const auto& [index, block] : run.facts->blocks)
            if (block.finished && block.best_loss_mse > 0) curve.points.push_back({static_cast<double>(index), block.best_loss_mse});
        if (!curve.points.empty()) marks.curves.push_back(std::move(curve));
    }
    if (marks.curves.empty()) return {};
    return Figure{.title = "Best loss of each block, run by run",
                  .panels = {{.x = {.label = "Block", .whole_numbers = true}, .y = {.label = "Best loss (mean squared error)", .scale = Axis::Scale::Log}, .marks = marks}}};
}

std::optional<Figure> module_changes_figure(const RunFacts& base, const RunFacts& other, ModuleNumber number, const std::string& label) {
    std::unordered_map<std::string, double> before;
    for (const auto& [name, module] : base.modules)
        if (module.*number && std::isfinite(*(module.*number))) before.emplace(name, *(module.*number));
    Figure figure = map_figure(other, concat(label, " by block and projection"), {.label = label, .about_zero = true},
                               [&](const std::string& name, const ModuleOutcome& module) -> std::optional<double> {
                                   const auto known = before.find(name);
                                   if (known == before.end() || !(module.*number) || !std::isfinite(*(module.*number))) return {};
                                   return *(module.*number) - known->second;
                               });
    return all_empty(figure) ? std::nullopt : std::optional(std::move(figure));
}

}  // namespace calibench
