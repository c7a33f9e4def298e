#include "ui/lens/value_grid.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace calibench {

namespace {

/// Half a step beyond either end.
void setEnds(ValueGrid& grid) {
    const auto& levels = grid.levels;
    const size_t last = levels.size() - 1;
    grid.low = levels.front() - (last > 0 ? (levels[1] - levels[0]) / 2 : 0);
    grid.high = levels.back() + (last > 0 ? (levels[last] - levels[last - 1]) / 2 : 0);
}

}  // namespace

std::optional<ValueGrid> groupGrid(const WeightInspection& weight, int64_t row, int64_t column) {
    ValueGrid grid;
    grid.levels = weight.levels(row, column);
    if (grid.levels.empty()) return {};
    setEnds(grid);
    return grid;
}

std::optional<ValueGrid> reachOfAllGroups(const WeightInspection& weight) {
    std::optional<ValueGrid> first = groupGrid(weight, 0, 0);
    const MapTile scales = weight.scales();
    if (!first || scales.values.size() <= 1) return first;
    const MapTile zeroPoints = weight.zero_points();
    const auto zeroPoint = [&](size_t group) { return zeroPoints.values.empty() ? 0.0 : static_cast<double>(zeroPoints.values[group]); };
    // Every group's ends are the same numbers of steps from its zero point: those of the first one.
    const auto ownScale = static_cast<double>(scales.values.front());
    if (ownScale == 0) return {};
    const double from = first->low / ownScale + zeroPoint(0), to = first->high / ownScale + zeroPoint(0);
    ValueGrid all{.low = first->low, .high = first->high, .levels = {}, .name = {}};
    for (size_t group = 0; group < scales.values.size(); ++group) {
        const auto scale = static_cast<double>(scales.values[group]);
        const auto [low, high] = std::minmax({(from - zeroPoint(group)) * scale, (to - zeroPoint(group)) * scale});
        all.low = std::min(all.low, low);
        all.high = std::max(all.high, high);
    }
    return all;
}

std::optional<ValueGrid> inputGrid(const QuantizationArgs& args, const InputAnswer& answer) {
    if (answer.scale == 0) return {};
    ValueGrid grid;
    if (args.type == QuantizationType::Float) {
        const double largest = args.num_bits == 8 ? 448 : 6;  // E4M3, E2M1: too uneven for levels to be ticks
        grid.low = -largest * answer.scale;
        grid.high = largest * answer.scale;
        return grid;
    }
    const int64_t half = int64_t{1} << (args.num_bits - 1);
    for (int64_t level = -half; level < half; ++level) grid.levels.push_back((static_cast<double>(level) - answer.zero_point) * answer.scale);
    setEnds(grid);
    return grid;
}

}  // namespace calibench
