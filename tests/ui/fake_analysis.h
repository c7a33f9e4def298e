#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "ui/core_services.h"

namespace calibench::test {

/// A small weight, the same for a module whenever it is asked for: a few waves, and one value far out whose place the name decides.
inline std::vector<float> plainWeight(const std::string& module, int64_t rows, int64_t columns) {
    std::vector<float> values(static_cast<size_t>(rows * columns));
    const size_t seed = std::accumulate(module.begin(), module.end(), size_t{7}, [](size_t sum, char c) { return sum * 31 + static_cast<unsigned char>(c); });
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(0.1 * std::sin(0.37 * static_cast<double>(i + seed % 101)) * std::cos(0.0113 * static_cast<double>(i)));
    values[seed % values.size()] = 0.9f;
    return values;
}

/// W and Wq by the plainest rounding to nearest there is: integers with one scale for each group, row or all. The window's tests compare
/// what they see with these loops.
class PlainInspection final : public WeightInspection {
public:
    PlainInspection(std::string module, std::vector<float> weight, int64_t rows, int64_t columns, const QuantizationArgs& args, double shift = 0)
        : m_weight(std::move(weight)), m_bits(args.num_bits), m_symmetric(args.symmetric) {
        m_facts.module = std::move(module);
        m_facts.rows = rows;
        m_facts.columns = columns;
        m_facts.group_rows = args.strategy == Strategy::Tensor ? rows : 1;
        m_facts.group_columns = args.strategy == Strategy::Group ? args.group_size.value_or(columns) : columns;
        m_facts.scheme = "W" + std::to_string(m_bits) + " g" + std::to_string(m_facts.group_columns) + (m_symmetric ? " sym" : " asym");
        quantize(shift);
        measure();
    }

    [[nodiscard]] const WeightFacts& facts() const override { return m_facts; }

    [[nodiscard]] MapTile map(WeightLayer layer, const Extent& part, int64_t maxRows, int64_t maxColumns) const override {
        const auto cell = [](int64_t size, int64_t most) {
            int64_t cell = 1;
            while ((size + cell - 1) / cell > most) cell *= 2;
            return cell;
        };
        MapTile tile;
        tile.cell_rows = cell(part.rows, maxRows);
        tile.cell_columns = cell(part.columns, maxColumns);
        const auto widen = [](int64_t from, int64_t size, int64_t cell, int64_t end) {
            const int64_t first = from / cell * cell;
            return std::pair(first, std::min((from + size + cell - 1) / cell * cell, end) - first);
        };
        std::tie(tile.covers.row, tile.covers.rows) = widen(part.row, part.rows, tile.cell_rows, m_facts.rows);
        std::tie(tile.covers.column, tile.covers.columns) = widen(part.column, part.columns, tile.cell_columns, m_facts.columns);
        tile.rows = (tile.covers.rows + tile.cell_rows - 1) / tile.cell_rows;
        tile.columns = (tile.covers.columns + tile.cell_columns - 1) / tile.cell_columns;
        tile.values.assign(static_cast<size_t>(tile.rows * tile.columns), 0);
        for (int64_t r = 0; r < tile.covers.rows; ++r)
            for (int64_t c = 0; c < tile.covers.columns; ++c) {
                float& kept = tile.values[static_cast<size_t>(r / tile.cell_rows * tile.columns + c / tile.cell_columns)];
                const auto value = static_cast<float>(at(layer, tile.covers.row + r, tile.covers.column + c));
                if (std::abs(value) > std::abs(kept)) kept = value;
            }
        return tile;
    }

    [[nodiscard]] ValueHistogram histogram(WeightLayer layer, int bins, const std::optional<Extent>& part = {}) const override {
        const Extent counted = part.value_or(Extent{.row = 0, .column = 0, .rows = m_facts.rows, .columns = m_facts.columns});
        ValueHistogram histogram{.low = std::numeric_limits<double>::max(), .high = std::numeric_limits<double>::lowest(), .counts = std::vector<int64_t>(static_cast<size_t>(bins))};
        const auto each = [&](const auto& take) {
            for (int64_t r = 0; r < counted.rows; ++r)
                for (int64_t c = 0; c < counted.columns; ++c) take(at(layer, counted.row + r, counted.column + c));
        };
        each([&](double value) {
            histogram.low = std::min(histogram.low, value);
            histogram.high = std::max(histogram.high, value);
        });
        each([&](double value) {
            const auto bin = static_cast<int64_t>((value - histogram.low) / histogram.bin_width());
            ++histogram.counts[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bins - 1))];
        });
        return histogram;
    }

    [[nodiscard]] std::vector<double> levels(int64_t row, int64_t column) const override {
        std::vector<double> levels;
        const size_t group = groupOf(row, column);
        for (int64_t level = 0; level < (int64_t{1} << m_bits); ++level) levels.push_back((static_cast<double>(level) - m_zeros[group]) * m_scales[group]);
        return levels;
    }

    [[nodiscard]] std::vector<ChannelError> worst_rows(int64_t count) const override { return worst(count, false); }
    [[nodiscard]] std::vector<ChannelError> worst_columns(int64_t count) const override { return worst(count, true); }

    [[nodiscard]] MapTile scales() const override { return perGroup(m_scales); }
    [[nodiscard]] MapTile zero_points() const override { return m_symmetric ? MapTile{} : perGroup(m_zeros); }

    [[nodiscard]] double at(WeightLayer layer, int64_t row, int64_t column) const {
        const auto i = static_cast<size_t>(row * m_facts.columns + column);
        switch (layer) {
            case WeightLayer::Weight: return static_cast<double>(m_weight[i]);
            case WeightLayer::Quantized: return m_quantized[i];
            case WeightLayer::Error: return static_cast<double>(m_weight[i]) - m_quantized[i];
            case WeightLayer::Scale: return m_scales[groupOf(row, column)];
        }
        return 0;
    }

private:
    [[nodiscard]] int64_t groupsAcross() const { return (m_facts.columns + m_facts.group_columns - 1) / m_facts.group_columns; }
    [[nodiscard]] size_t groupOf(int64_t row, int64_t column) const { return static_cast<size_t>(row / m_facts.group_rows * groupsAcross() + column / m_facts.group_columns); }

    /// Zero points count from the lowest level, of 2^bits; `shift` moves the roundings as tuning would.
    void quantize(double shift) {
        const int64_t groups = groupsAcross() * ((m_facts.rows + m_facts.group_rows - 1) / m_facts.group_rows);
        std::vector<double> low(static_cast<size_t>(groups)), high(low);
        for (int64_t r = 0; r < m_facts.rows; ++r)
            for (int64_t c = 0; c < m_facts.columns; ++c) {
                const size_t group = groupOf(r, c);
                low[group] = std::min(low[group], at(WeightLayer::Weight, r, c));
                high[group] = std::max(high[group], at(WeightLayer::Weight, r, c));
            }
        const double last = static_cast<double>((int64_t{1} << m_bits) - 1), half = (last + 1) / 2;
        for (size_t group = 0; group < low.size(); ++group) {
            const double scale = m_symmetric ? std::max(-low[group], high[group]) / (last / 2) : (high[group] - low[group]) / last;
            m_scales.push_back(scale > 0 ? scale : 1e-5);
            m_zeros.push_back(m_symmetric ? half : std::round(-low[group] / m_scales.back()));
        }
        for (int64_t r = 0; r < m_facts.rows; ++r)
            for (int64_t c = 0; c < m_facts.columns; ++c) {
                const size_t group = groupOf(r, c);
                const double level = std::clamp(std::round(at(WeightLayer::Weight, r, c) / m_scales[group] + shift) + m_zeros[group], 0.0, last);
                m_quantized.push_back((level - m_zeros[group]) * m_scales[group]);
            }
    }

    void measure() {
        double signal = 0, noise = 0;
        m_facts.min = m_facts.max = static_cast<double>(m_weight.front());
        for (int64_t r = 0; r < m_facts.rows; ++r)
            for (int64_t c = 0; c < m_facts.columns; ++c) {
                const double value = at(WeightLayer::Weight, r, c), error = at(WeightLayer::Error, r, c);
                signal += value * value;
                noise += error * error;
                m_facts.min = std::min(m_facts.min, value);
                m_facts.max = std::max(m_facts.max, value);
                if (std::abs(error) <= m_facts.max_abs_error) continue;
                m_facts.max_abs_error = std::abs(error);
                m_facts.max_error_row = r;
                m_facts.max_error_column = c;
            }
        m_facts.sqnr_db = m_facts.worst_group_sqnr_db = 10 * std::log10(signal / noise);
        m_facts.num_groups = static_cast<int64_t>(m_scales.size());
        m_facts.range_use = 0.8;
        m_facts.outlier_ratio = 4;
    }

    [[nodiscard]] std::vector<ChannelError> worst(int64_t count, bool columns) const {
        std::vector<ChannelError> channels(static_cast<size_t>(columns ? m_facts.columns : m_facts.rows));
        std::vector<double> signal(channels.size());
        double all = 0;
        for (int64_t r = 0; r < m_facts.rows; ++r)
            for (int64_t c = 0; c < m_facts.columns; ++c) {
                const auto i = static_cast<size_t>(columns ? c : r);
                const double error = at(WeightLayer::Error, r, c), value = at(WeightLayer::Weight, r, c);
                channels[i].index = columns ? c : r;
                channels[i].error_share += error * error;
                channels[i].max_abs_error = std::max(channels[i].max_abs_error, std::abs(error));
                signal[i] += value * value;
                all += error * error;
            }
        for (size_t i = 0; i < channels.size(); ++i) {
            channels[i].sqnr_db = 10 * std::log10(signal[i] / channels[i].error_share);
            channels[i].error_share /= all;
        }
        std::sort(channels.begin(), channels.end(), [](const ChannelError& a, const ChannelError& b) { return a.error_share > b.error_share; });
        channels.resize(std::min(channels.size(), static_cast<size_t>(count)));
        return channels;
    }

    [[nodiscard]] MapTile perGroup(const std::vector<double>& values) const {
        MapTile tile;
        tile.columns = groupsAcross();
        tile.rows = static_cast<int64_t>(values.size()) / tile.columns;
        tile.values.assign(values.begin(), values.end());
        return tile;
    }

    std::vector<float> m_weight;
    std::vector<double> m_quantized, m_scales, m_zeros;
    const int m_bits;
    const bool m_symmetric;
    WeightFacts m_facts;
};

/// What a run saw of a module's inputs: 1000 values, evenly spread over [-2, 2].
class PlainInputs final : public InputInspection {
public:
    explicit PlainInputs(std::string module) {
        m_facts.module = std::move(module);
        m_facts.num_tokens = 128;
        m_facts.num_channels = 8;
        m_facts.min = -2;
        m_facts.max = 2;
        m_facts.outlier_ratio = 3;
        m_facts.histogram = {.low = -2, .high = 2, .counts = std::vector<int64_t>(40, 25)};
    }
    [[nodiscard]] const InputFacts& facts() const override { return m_facts; }
    [[nodiscard]] InputAnswer answer(const QuantizationArgs& args) const override {
        if (args.dynamic == Dynamic::Local) throw InputError("The sketch does not know local scales. Run with them to see.");
        const double scale = args.dynamic == Dynamic::Yes ? 0 : 4 / static_cast<double>((int64_t{1} << args.num_bits) - 1);
        return {.scale = scale, .zero_point = 0, .scale_error = 0.01, .sqnr_db = 6.02 * args.num_bits, .sqnr_error_db = 0.25, .clipped_share = 0, .clipped_error = 0.001};
    }

private:
    InputFacts m_facts;
};

constexpr int64_t PlainRows = 32, PlainColumns = 16;  // of every Linear of fixtures.h

/// Gives fakes what the Error and the Overview tab ask for. What a run left is what rounding with a shift leaves.
inline void addAnalysis(CoreServices& services) {
    services.inspectWeight = [](const WeightRequest& request) -> std::shared_ptr<const WeightInspection> {
        if (request.module.ends_with("broken")) throw InputError("broken: the weight lies beyond the end of its file. Download it again.");
        QuantizationArgs args = request.weights.value_or(QuantizationArgs{.num_bits = 4, .group_size = 8, .strategy = Strategy::Group});
        if (args.strategy == Strategy::Group && PlainColumns % args.group_size.value_or(PlainColumns) != 0)
            throw InputError("group_size does not divide the 16 columns. Use 8, 4 or channel.");
        return std::make_shared<PlainInspection>(request.module, plainWeight(request.module, PlainRows, PlainColumns), PlainRows, PlainColumns, args, request.weights ? 0 : 0.2);
    };
    services.inspectInput = [](const std::filesystem::path&, const std::string& module) { return std::make_shared<PlainInputs>(module); };
    services.readOutputErrors = [](const std::filesystem::path&) {
        return std::vector<OutputError>{{.module = "model.layers.0.self_attn.q_proj", .output_sqnr_db = 17, .local_sqnr_db = 20, .inherited_sqnr_db = 20}};
    };
    services.inspectModules = [inspect = services.inspectWeight](const OverviewRequest& request, RunControl& control,
                                                                  const std::function<void(const ModuleOverview&, double)>& tell) {
        std::vector<ModuleOverview> rows;
        for (const ResolvedModule& module : request.modules) {
            control.checkpoint();
            WeightRequest weight{.model_dir = request.model_dir, .module = module.name, .weights = module.scheme.weights, .checkpoint_dir = {}, .run_dir = {}, .fused_with = {}, .channel_mean_square = {}};
            if (!request.run_dir.empty() || !request.checkpoint_dir.empty()) weight.weights.reset();
            ModuleOverview row{.weight = inspect(weight)->facts(), .input = {}, .input_answer = {}, .output = {}, .badness = 0, .reason = {}};
            const bool planted = module.name == "model.layers.1.mlp.down_proj" && module.scheme.weights && module.scheme.weights->num_bits == 4;
            if (planted) row.weight.sqnr_db = -3;
            rows.push_back(row);
            if (tell) tell(row, static_cast<double>(rows.size()) / static_cast<double>(request.modules.size()));
        }
        return rows;
    };
    services.judgeModules = [](std::vector<ModuleOverview>& modules) {
        for (ModuleOverview& module : modules) {
            module.badness = std::max(0.0, 20 - module.weight.sqnr_db);
            module.reason = module.badness > 20 ? "1 of 64 scales is 1000 times the median" : "";
        }
    };
}

}  // namespace calibench::test
