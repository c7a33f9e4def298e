#include "core/analysis/weight_histogram.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <mutex>

#include "core/analysis/picture_loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {
namespace {

constexpr int64_t values_per_task = 1 << 18;

using Piece = std::function<void(const float* values, int64_t count)>;

/// Some rows of the part, a piece at a time.
void walk(const WeightRows& weight, WeightLayer layer, const Extent& part, int64_t begin, int64_t end, const Piece& take) {
    float values[most_piece_columns];
    for (int64_t row = part.row + begin; row < part.row + end; ++row) {
        for (int64_t at = 0; at < part.columns; at += most_piece_columns) {
            const int64_t count = std::min(most_piece_columns, part.columns - at);
            weight.read(layer, row, part.column + at, count, values);
            take(values, count);
        }
    }
}

ValueInterval find_range(const WeightRows& weight, WeightLayer layer, const Extent& part, int64_t grain) {
    std::mutex mutex;
    float low = std::numeric_limits<float>::infinity(), high = -low;
    parallel_for(part.rows, grain, [&](int64_t begin, int64_t end) {
        float mine[2] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
        walk(weight, layer, part, begin, end, [&](const float* values, int64_t count) {
            for (int64_t i = 0; i < count; ++i) {  // NaN is left out: comparing with it says no
                mine[0] = values[i] < mine[0] ? values[i] : mine[0];
                mine[1] = values[i] > mine[1] ? values[i] : mine[1];
            }
        });
        const std::lock_guard lock(mutex);
        low = std::min(low, mine[0]);
        high = std::max(high, mine[1]);
    });
    return low <= high ? ValueInterval{low, high} : ValueInterval{};
}

}  // namespace

ValueHistogram make_histogram(const WeightRows& weight, WeightLayer layer, const Extent& part, int bins, std::optional<ValueInterval> range) {
    const int64_t grain = std::max<int64_t>(1, values_per_task / std::max<int64_t>(1, part.columns));
    if (!range) range = find_range(weight, layer, part, grain);
    const int32_t num_bins = std::max(bins, 1);
    ValueHistogram histogram{.low = range->low, .high = range->high, .counts = std::vector<int64_t>(static_cast<size_t>(num_bins))};
    const BinRule rule{range->low, range->high > range->low ? num_bins / (range->high - range->low) : 0, num_bins};
    std::mutex mutex;
    parallel_for(part.rows, grain, [&](int64_t begin, int64_t end) {
        // Neighbours often share a bin; a count each, so that they need not wait for one another.
        const auto stride = static_cast<size_t>(num_bins) + 1;
        std::vector<int64_t> mine(4 * stride);
        int32_t found[most_piece_columns];
        walk(weight, layer, part, begin, end, [&](const float* values, int64_t count) {
            find_bins(rule, values, count, found);
            for (int64_t i = 0; i < count; ++i) ++mine[static_cast<size_t>(i % 4) * stride + static_cast<size_t>(found[i])];
        });
        const std::lock_guard lock(mutex);
        for (size_t bin = 0; bin + 1 < stride; ++bin)
            for (size_t copy = 0; copy < 4; ++copy) histogram.counts[bin] += mine[copy * stride + bin];
    });
    return histogram;
}

}  // namespace calibench
