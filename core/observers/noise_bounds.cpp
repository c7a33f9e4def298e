#include "core/observers/noise_bounds.h"

#include <algorithm>
#include <cmath>

namespace calibench {

/// Borders on a cell's edge do not part it, though they may be computed a little off.
static constexpr double edge_tolerance = 1e-6;

static size_t level_next_to(double value, std::span<const double> levels) {
    const auto above = static_cast<size_t>(std::lower_bound(levels.begin(), levels.end(), value) - levels.begin());
    if (above == 0) return 0;
    if (above == levels.size()) return above - 1;
    return value - levels[above - 1] < levels[above] - value ? above - 1 : above;
}

/// The sum of w (t - level)^2.
static double noise_against(const MomentSums& cell, double level) {
    const double offset = level - cell.centre;
    return std::max(0.0, cell.second - 2 * offset * cell.first + offset * offset * cell.weight);
}

static NoiseBounds between_two(const MomentSums& cell, double below, double above) {
    const double to_below = noise_against(cell, below), to_above = noise_against(cell, above);
    const double border = (below + above) / 2, width = cell.high - cell.low;
    const double mean = std::clamp(cell.centre + cell.first / cell.weight, cell.low, cell.high);
    const double chord = cell.weight * ((cell.high - mean) * (border - cell.low) + (mean - cell.low) * (cell.high - border)) / width;
    const double spread = std::min(chord, std::sqrt(cell.weight * noise_against(cell, border)));
    NoiseBounds bounds;
    bounds.most = std::min(to_below, to_above);
    bounds.least = std::clamp((to_below + to_above) / 2 - (above - below) * spread, 0.0, bounds.most);
    bounds.estimate = (bounds.least + bounds.most) / 2;
    return bounds;
}

static NoiseBounds among_many(const MomentSums& cell, std::span<const double> levels) {
    double largest = std::max({0.0, levels.front() - cell.low, cell.high - levels.back()}), squares = 0;
    for (size_t i = 1; i < levels.size(); ++i) {
        const double gap = levels[i] - levels[i - 1];
        largest = std::max(largest, gap / 2);
        squares += gap * gap / 12;  // of values evenly spread
    }
    const double most = cell.weight * largest * largest;
    return {0, std::min(most, cell.weight * squares / static_cast<double>(levels.size() - 1)), most};
}

void NoiseBounds::add(const MomentSums& cell, std::span<const double> levels) {
    if (!(cell.weight > 0)) return;
    const double margin = edge_tolerance * (cell.high - cell.low);
    const size_t first = level_next_to(cell.low + margin, levels), last = level_next_to(cell.high - margin, levels);
    NoiseBounds bounds;
    if (first == last) bounds.least = bounds.estimate = bounds.most = noise_against(cell, levels[first]);
    else if (first + 1 == last) bounds = between_two(cell, levels[first], levels[last]);
    else bounds = among_many(cell, levels.subspan(first, last - first + 1));
    least += bounds.least;
    estimate += bounds.estimate;
    most += bounds.most;
}

void NoiseBounds::widen(double distance) {
    const double low = std::max(0.0, std::sqrt(least) - distance), high = std::sqrt(most) + distance;
    least = low * low;
    most = high * high;
}

}  // namespace calibench
