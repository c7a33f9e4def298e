#include "core/analysis/weight_measurement.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>

#include <ATen/ATen.h>

#include "core/analysis/picture_loops.h"
#include "core/analysis/sum_loops.h"
#include "core/kernels/cpu/parallel.h"
#include "core/quantization/qparams.h"

namespace calibench {
namespace {

constexpr int64_t most_bands = 16;  // each with sums of its own for every column
constexpr double infinity = std::numeric_limits<double>::infinity();

struct Band {
    int64_t begin, end;  ///< rows
    bool whole_groups;   ///< else part of a single row of groups
};

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

std::vector<Band> cut(int64_t rows, int64_t group_rows) {
    const int64_t least = round_up((rows + most_bands - 1) / most_bands, coarse_cell);
    std::vector<Band> bands;
    if (group_rows <= least) {
        const int64_t step = round_up(least, group_rows);
        for (int64_t begin = 0; begin < rows; begin += step) bands.push_back({begin, std::min(begin + step, rows), true});
        return bands;
    }
    for (int64_t group = 0; group < rows; group += group_rows) {
        const int64_t group_end = std::min(group + group_rows, rows);
        for (int64_t begin = group; begin < group_end; begin += least) bands.push_back({begin, std::min(begin + least, group_end), false});
    }
    return bands;
}

/// What is known of groups that were seen to their end. There are millions: ratios are compared without dividing.
struct GroupSummary {
    double worst_weight = 1, worst_error = 0;    ///< energies of the group that loses most
    double peak = 0, peak_energy = 1;            ///< of the one that sticks out most: count * max|w|^2, and its energy
    double sum_of_spans = 0, least_span = infinity;  ///< largest - smallest level
    int64_t num_spans = 0;                       ///< groups whose values differ

    void finish(std::vector<GroupSums>& groups) {
        for (GroupSums& group : groups) {
            if (group.count > 0) {
                lose(group.weight_energy, group.error_energy);
                const double largest = std::max<double>(-group.low, group.high);
                stick_out(largest * largest * static_cast<double>(group.count), group.weight_energy);
            }
            if (group.low < group.high) {
                const double span = double(group.high_level) - double(group.low_level);
                sum_of_spans += span;
                least_span = std::min(least_span, span);
                ++num_spans;
            }
            group = {};
        }
    }
    void add(const GroupSummary& other) {
        lose(other.worst_weight, other.worst_error);
        stick_out(other.peak, other.peak_energy);
        sum_of_spans += other.sum_of_spans;
        least_span = std::min(least_span, other.least_span);
        num_spans += other.num_spans;
    }

private:
    void lose(double weight, double error) {
        if (weight * worst_error >= worst_weight * error) return;
        worst_weight = weight;
        worst_error = error;
    }
    void stick_out(double height, double energy) {
        if (height * peak_energy <= peak * energy) return;
        peak = height;
        peak_energy = energy;
    }
};

struct BandResult {
    explicit BandResult(int64_t num_columns)
        : weight_energy(static_cast<size_t>(num_columns)), error_energy(static_cast<size_t>(num_columns)), max_abs_error(static_cast<size_t>(num_columns)) {}

    GroupSummary groups;
    std::vector<GroupSums> open;  ///< of the row of groups that this band is a part of
    std::vector<double> weight_energy, error_energy;
    std::vector<float> max_abs_error;
    RowSums sums;  ///< of all its rows
    int64_t num_constant_rows = 0;
};

/// Where the grid of a group ends, in levels: half a step beyond its last ones.
LevelBounds clipping_bounds(const QuantizationArgs& args) {
    const QuantizationRange range = quantization_range(args);
    // The last step of e4m3 goes from 416 to 448, that of e2m1 from 4 to 6.
    const double step = args.type == QuantizationType::Int ? 1 : args.num_bits == 8 ? 32 : 2;
    return {static_cast<float>(range.min - step / 2), static_cast<float>(range.max + step / 2)};
}

void add_row(RowSums& all, const RowSums& row) {
    all.weight_energy += row.weight_energy;
    all.error_energy += row.error_energy;
    all.low = std::min(all.low, row.low);
    all.high = std::max(all.high, row.high);
    all.low_quantized = std::min(all.low_quantized, row.low_quantized);
    all.high_quantized = std::max(all.high_quantized, row.high_quantized);
    all.low_error = std::min(all.low_error, row.low_error);
    all.high_error = std::max(all.high_error, row.high_error);
    all.num_outside += row.num_outside;
    all.num_not_finite += row.num_not_finite;
}

/// Measures a band by strips of some rows, as high as the cells of a coarse map, so that sums of columns are fetched once for all of them.
class BandMeter {
public:
    BandMeter(const WeightRows& weight, const Band& band, std::vector<WeightMeasurement::Channel>& channels, MapTile* error_map)
        : weight_(weight), form_(weight.quantized()), band_(band), channels_(channels), error_map_(error_map), result_(weight.columns()) {
        if (!weight.is_quantized()) return;
        bounds_ = clipping_bounds(*form_.args);
        for (auto& groups : groups_) groups.resize(static_cast<size_t>(form_.scale.size(1)));
    }

    [[nodiscard]] BandResult measure() {
        for (int64_t row = band_.begin; row < band_.end;) {
            int64_t end = std::min(row + coarse_cell, band_.end);
            if (shares_groups()) end = std::min(end, (row / form_.group_rows + 1) * form_.group_rows);
            measure_strip(row, end - row);
            row = end;
        }
        if (!band_.whole_groups) result_.open = std::move(groups_[0]);
        return std::move(result_);
    }

private:
    [[nodiscard]] bool shares_groups() const { return weight_.is_quantized() && form_.group_rows > 1; }

    void measure_strip(int64_t first, int64_t rows) {
        RowSums sums[coarse_cell];
        for (int64_t column = 0; column < weight_.columns(); column += strip_columns) {
            const int64_t count = std::min(strip_columns, weight_.columns() - column);
            for (int64_t i = 0; i < rows; ++i) measure_piece(first + i, {values_[i], levels_, quantized_, error_[i], column, count}, groups_[shares_groups() ? 0 : i], sums[i]);
            const ColumnSums columns{result_.weight_energy.data(), result_.error_energy.data(), result_.max_abs_error.data()};
            add_to_columns({values_[0], error_[0], rows, strip_columns, count}, columns.from(column));
            if (error_map_) find_cells(error_[0], rows, strip_columns, count, error_map_->values.data() + first / coarse_cell * error_map_->columns + column / coarse_cell);
        }
        for (int64_t i = 0; i < rows; ++i) finish_row(first + i, sums[i]);
        if (!weight_.is_quantized() || !band_.whole_groups) return;
        if (!shares_groups())
            for (int64_t i = 0; i < rows; ++i) result_.groups.finish(groups_[i]);
        else if (const int64_t end = first + rows; end % form_.group_rows == 0 || end == weight_.rows())
            result_.groups.finish(groups_[0]);
    }

    void measure_piece(int64_t row, MeasuredPiece piece, std::vector<GroupSums>& groups, RowSums& sums) {
        const RowScales scales = weight_.scales_of(row);
        weight_.read_weight(row, piece.column, piece.count, piece.weight);
        if (weight_.is_quantized()) {
            weight_.read_levels(row, piece.column, piece.count, piece.weight, piece.levels);
            restore(scales, piece.levels, piece.column, piece.count, piece.quantized);
        } else {
            piece.levels = nullptr;
            std::copy_n(piece.weight, piece.count, piece.quantized);
        }
        calibench::measure(piece, scales, bounds_, groups.data(), sums);
    }

    void finish_row(int64_t row, const RowSums& sums) {
        channels_[static_cast<size_t>(row)] = {sums.weight_energy, sums.error_energy, sums.max_abs_error()};
        add_row(result_.sums, sums);
        const bool is_constant = sums.low_quantized == sums.high_quantized || sums.low_level == sums.high_level;
        if (sums.low < sums.high && is_constant) ++result_.num_constant_rows;
    }

    static constexpr int64_t strip_columns = 512;  // what a strip takes of them stays in the first-level cache
    static_assert(strip_columns <= most_piece_columns && strip_columns % coarse_cell == 0);

    const WeightRows& weight_;
    const QuantizedWeight& form_;
    const Band band_;
    std::vector<WeightMeasurement::Channel>& channels_;
    MapTile* const error_map_;
    LevelBounds bounds_{};
    std::vector<GroupSums> groups_[coarse_cell];  ///< of each row of a strip; the first one's alone where rows share them
    BandResult result_;
    alignas(64) float values_[coarse_cell][strip_columns], error_[coarse_cell][strip_columns], levels_[strip_columns], quantized_[strip_columns];
};

GroupSummary summarize_groups(const std::vector<Band>& bands, std::vector<BandResult>& results, int64_t group_rows) {
    GroupSummary summary;
    std::vector<GroupSums> pending;
    for (size_t i = 0; i < bands.size(); ++i) {
        summary.add(results[i].groups);
        if (bands[i].whole_groups) continue;
        pending.resize(results[i].open.size());
        for (size_t group = 0; group < pending.size(); ++group) pending[group].add(results[i].open[group]);
        const bool ends = i + 1 == bands.size() || bands[i + 1].begin % group_rows == 0;
        if (ends) summary.finish(pending);
    }
    return summary;
}

std::vector<WeightMeasurement::Channel> merge_columns(const std::vector<BandResult>& results, int64_t columns) {
    std::vector<WeightMeasurement::Channel> merged(static_cast<size_t>(columns));
    for (const BandResult& band : results) {
        for (size_t column = 0; column < merged.size(); ++column) {
            merged[column].weight_energy += band.weight_energy[column];
            merged[column].error_energy += band.error_energy[column];
            merged[column].max_abs_error = std::max(merged[column].max_abs_error, band.max_abs_error[column]);
        }
    }
    return merged;
}

/// The first value, row by row, whose error is the largest.
void find_max_error(const WeightRows& weight, WeightMeasurement& measurement) {
    const auto row = std::max_element(measurement.rows.begin(), measurement.rows.end(), [](const auto& a, const auto& b) { return a.max_abs_error < b.max_abs_error; });
    WeightFacts& facts = measurement.facts;
    facts.max_abs_error = row->max_abs_error;
    facts.max_error_row = row - measurement.rows.begin();
    float error[most_piece_columns];
    for (int64_t column = 0; column < weight.columns(); column += most_piece_columns) {
        const int64_t count = std::min(most_piece_columns, weight.columns() - column);
        weight.read(WeightLayer::Error, facts.max_error_row, column, count, error);
        const float* found = std::find_if(error, error + count, [&](float value) { return std::abs(value) == row->max_abs_error; });
        if (found == error + count) continue;
        facts.max_error_column = column + (found - error);
        return;
    }
}

/// Magnitudes of floats, by their bits: of numbers, the larger one has the larger bits.
uint32_t magnitude_bits(float value) { return std::bit_cast<uint32_t>(value) & 0x7fffffffu; }

/// How many of the values fall into each of 2^16 classes; class_of may leave one out by a negative number.
template <typename ClassOf>
std::vector<int64_t> count_classes(const float* values, int64_t count, const ClassOf& class_of) {
    constexpr size_t num_classes = size_t{1} << 16;
    constexpr int64_t values_per_task = 1 << 19;
    std::vector<int64_t> counts(num_classes);
    std::mutex mutex;
    parallel_for(count, values_per_task, [&](int64_t begin, int64_t end) {
        std::vector<int64_t> part(num_classes);
        for (int64_t i = begin; i < end; ++i)
            if (const int32_t found = class_of(magnitude_bits(values[i])); found >= 0) ++part[static_cast<size_t>(found)];
        const std::lock_guard lock(mutex);
        for (size_t i = 0; i < num_classes; ++i) counts[i] += part[i];
    });
    return counts;
}

/// The class in which the one of this rank is; the rank becomes that within its class.
uint32_t find_rank(const std::vector<int64_t>& counts, int64_t& rank) {
    uint32_t found = 0;
    while (rank >= counts[found]) rank -= counts[found++];
    return found;
}

/// Upper halves of their bits first, then the lower halves of those that have the right upper one.
float magnitude_of_rank(const float* values, int64_t count, int64_t rank, const std::vector<int64_t>& upper_halves) {
    const uint32_t upper = find_rank(upper_halves, rank);
    const auto lower_halves = count_classes(values, count, [&](uint32_t bits) { return bits >> 16 == upper ? static_cast<int32_t>(bits & 0xffffu) : -1; });
    return std::bit_cast<float>(upper << 16 | find_rank(lower_halves, rank));
}

void describe_scales(const at::Tensor& scale, WeightFacts& facts) {
    const auto* values = scale.const_data_ptr<float>();
    const int64_t count = scale.numel();
    const auto upper_halves = count_classes(values, count, [](uint32_t bits) { return static_cast<int32_t>(bits >> 16); });
    facts.num_groups = count;
    facts.median_scale = magnitude_of_rank(values, count, count / 2, upper_halves);
    facts.largest_scale = magnitude_of_rank(values, count, count - 1, upper_halves);
}

}  // namespace

WeightMeasurement measure_weight(const WeightRows& weight, MapTile* error_map) {
    const QuantizedWeight& form = weight.quantized();
    const int64_t group_rows = weight.is_quantized() ? form.group_rows : 1;
    const std::vector<Band> bands = cut(weight.rows(), group_rows);
    const bool strips_are_cells = group_rows == 1 || group_rows % coarse_cell == 0 || group_rows >= weight.rows();

    WeightMeasurement measurement;
    measurement.rows.resize(static_cast<size_t>(weight.rows()));
    std::vector<BandResult> results(bands.size(), BandResult(0));
    parallel_for(static_cast<int64_t>(bands.size()), 1, [&](int64_t begin, int64_t end) {
        for (int64_t band = begin; band < end; ++band) {
            BandMeter meter(weight, bands[static_cast<size_t>(band)], measurement.rows, strips_are_cells ? error_map : nullptr);
            results[static_cast<size_t>(band)] = meter.measure();
        }
    });

    RowSums sums;
    WeightFacts& facts = measurement.facts;
    for (const BandResult& band : results) {
        add_row(sums, band.sums);
        facts.num_constant_rows += band.num_constant_rows;
    }
    // A cell leaves out what is not finite, where these errors are 0.
    if (error_map && (!strips_are_cells || sums.num_not_finite > 0)) error_map->values.clear();
    measurement.columns = merge_columns(results, weight.columns());
    measurement.error_energy = sums.error_energy;
    measurement.low_quantized = sums.low_quantized;
    measurement.high_quantized = sums.high_quantized;
    measurement.low_error = sums.low_error;
    measurement.high_error = sums.high_error;

    facts.scheme = form.args ? describe(*form.args) : "as it is";
    facts.rows = weight.rows();
    facts.columns = weight.columns();
    facts.num_not_finite = sums.num_not_finite;
    facts.min = sums.low;
    facts.max = sums.high;
    facts.sqnr_db = decibels(sums.weight_energy, sums.error_energy);
    facts.constant_rows = facts.num_constant_rows > 0;
    facts.worst_group_sqnr_db = infinity;
    find_max_error(weight, measurement);
    if (!weight.is_quantized()) return measurement;

    const GroupSummary groups = summarize_groups(bands, results, group_rows);
    const QuantizationRange range = quantization_range(*form.args);
    facts.group_rows = form.group_rows;
    facts.group_columns = form.group_columns;
    facts.worst_group_sqnr_db = decibels(groups.worst_weight, groups.worst_error);
    facts.range_use = groups.num_spans > 0 ? groups.sum_of_spans / static_cast<double>(groups.num_spans) / (range.max - range.min) : 1;
    facts.worst_range_use = groups.num_spans > 0 ? groups.least_span / (range.max - range.min) : 1;
    facts.clipped_share = static_cast<double>(sums.num_outside) / static_cast<double>(std::max<int64_t>(1, weight.rows() * weight.columns() - sums.num_not_finite));
    facts.outlier_ratio = std::sqrt(groups.peak / groups.peak_energy);
    describe_scales(form.scale, facts);
    return measurement;
}

double decibels(double signal, double noise) { return noise == 0 ? infinity : 10 * std::log10(signal / noise); }

}  // namespace calibench
