#include "core/analysis/weight_measurement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>

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
    const int64_t least = (rows + most_bands - 1) / most_bands;
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

/// What is known of groups that were seen to their end.
struct GroupSummary {
    double worst_sqnr_db = infinity;
    double sum_of_range_use = 0, worst_range_use = 1;
    int64_t num_ranges = 0;  ///< groups whose values differ
    double outlier_ratio = 0;

    void finish(std::vector<GroupSums>& groups, const QuantizationRange& range) {
        for (GroupSums& group : groups) {
            if (group.count > 0) {
                worst_sqnr_db = std::min(worst_sqnr_db, decibels(group.weight_energy, group.error_energy));
                const double rms = std::sqrt(group.weight_energy / static_cast<double>(group.count));
                if (rms > 0) outlier_ratio = std::max(outlier_ratio, std::max<double>(-group.low, group.high) / rms);
            }
            if (group.low < group.high) {
                const double use = (double(group.high_level) - double(group.low_level)) / (range.max - range.min);
                sum_of_range_use += use;
                worst_range_use = std::min(worst_range_use, use);
                ++num_ranges;
            }
            group = {};
        }
    }
    void add(const GroupSummary& other) {
        worst_sqnr_db = std::min(worst_sqnr_db, other.worst_sqnr_db);
        sum_of_range_use += other.sum_of_range_use;
        worst_range_use = std::min(worst_range_use, other.worst_range_use);
        num_ranges += other.num_ranges;
        outlier_ratio = std::max(outlier_ratio, other.outlier_ratio);
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

BandResult measure_band(const WeightRows& weight, const Band& band, const LevelBounds& bounds, const QuantizationRange& range,
                        std::vector<WeightMeasurement::Channel>& channels) {
    const int64_t columns = weight.columns();
    const QuantizedWeight& form = weight.quantized();
    BandResult result(columns);
    std::vector<GroupSums> groups(weight.is_quantized() ? static_cast<size_t>(form.scale.size(1)) : 0);
    const ColumnSums column_sums{result.weight_energy.data(), result.error_energy.data(), result.max_abs_error.data()};
    alignas(64) float values[most_piece_columns], levels[most_piece_columns], quantized[most_piece_columns], error[most_piece_columns];
    for (int64_t row = band.begin; row < band.end; ++row) {
        const RowScales scales = weight.scales_of(row);
        RowSums sums;
        for (int64_t column = 0; column < columns; column += most_piece_columns) {
            const int64_t count = std::min(most_piece_columns, columns - column);
            weight.read_weight(row, column, count, values);
            if (weight.is_quantized()) {
                weight.read_levels(row, column, count, levels);
                restore(scales, levels, column, count, quantized);
            } else {
                std::copy_n(values, count, quantized);
            }
            measure({values, weight.is_quantized() ? levels : nullptr, quantized, error, column, count}, scales, bounds, groups.data(), sums, column_sums);
        }
        channels[static_cast<size_t>(row)] = {sums.weight_energy, sums.error_energy, sums.max_abs_error()};
        add_row(result.sums, sums);
        const bool is_constant = sums.low_quantized == sums.high_quantized || sums.low_level == sums.high_level;
        if (sums.low < sums.high && is_constant) ++result.num_constant_rows;
        if (band.whole_groups && weight.is_quantized() && ((row + 1) % form.group_rows == 0 || row + 1 == weight.rows())) result.groups.finish(groups, range);
    }
    if (!band.whole_groups) result.open = std::move(groups);
    return result;
}

GroupSummary summarize_groups(const std::vector<Band>& bands, std::vector<BandResult>& results, int64_t group_rows, const QuantizationRange& range) {
    GroupSummary summary;
    std::vector<GroupSums> pending;
    for (size_t i = 0; i < bands.size(); ++i) {
        summary.add(results[i].groups);
        if (bands[i].whole_groups) continue;
        pending.resize(results[i].open.size());
        for (size_t group = 0; group < pending.size(); ++group) pending[group].add(results[i].open[group]);
        const bool ends = i + 1 == bands.size() || bands[i + 1].begin % group_rows == 0;
        if (ends) summary.finish(pending, range);
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

void describe_scales(const at::Tensor& scale, WeightFacts& facts) {
    std::vector<float> magnitudes(static_cast<size_t>(scale.numel()));
    std::transform(scale.const_data_ptr<float>(), scale.const_data_ptr<float>() + scale.numel(), magnitudes.begin(), [](float value) { return std::abs(value); });
    const auto middle = magnitudes.begin() + scale.numel() / 2;
    std::nth_element(magnitudes.begin(), middle, magnitudes.end());
    facts.num_groups = scale.numel();
    facts.median_scale = *middle;
    facts.largest_scale = *std::max_element(middle, magnitudes.end());
}

}  // namespace

WeightMeasurement measure_weight(const WeightRows& weight) {
    const QuantizedWeight& form = weight.quantized();
    const int64_t group_rows = weight.is_quantized() ? form.group_rows : 1;
    const QuantizationRange range = form.args ? quantization_range(*form.args) : QuantizationRange{};
    const LevelBounds bounds = form.args ? clipping_bounds(*form.args) : LevelBounds{};
    const std::vector<Band> bands = cut(weight.rows(), group_rows);

    WeightMeasurement measurement;
    measurement.rows.resize(static_cast<size_t>(weight.rows()));
    std::vector<BandResult> results(bands.size(), BandResult(0));
    parallel_for(static_cast<int64_t>(bands.size()), 1, [&](int64_t begin, int64_t end) {
        for (int64_t band = begin; band < end; ++band)
            results[static_cast<size_t>(band)] = measure_band(weight, bands[static_cast<size_t>(band)], bounds, range, measurement.rows);
    });

    RowSums sums;
    WeightFacts& facts = measurement.facts;
    for (const BandResult& band : results) {
        add_row(sums, band.sums);
        facts.num_constant_rows += band.num_constant_rows;
    }
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

    const GroupSummary groups = summarize_groups(bands, results, group_rows, range);
    facts.group_rows = form.group_rows;
    facts.group_columns = form.group_columns;
    facts.worst_group_sqnr_db = groups.worst_sqnr_db;
    facts.range_use = groups.num_ranges > 0 ? groups.sum_of_range_use / static_cast<double>(groups.num_ranges) : 1;
    facts.worst_range_use = groups.worst_range_use;
    facts.clipped_share = static_cast<double>(sums.num_outside) / static_cast<double>(std::max<int64_t>(1, weight.rows() * weight.columns() - sums.num_not_finite));
    facts.outlier_ratio = groups.outlier_ratio;
    describe_scales(form.scale, facts);
    return measurement;
}

double decibels(double signal, double noise) { return noise == 0 ? infinity : 10 * std::log10(signal / noise); }

}  // namespace calibench
