#include "core/analysis/weight_inspection.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/analysis/model_files.h"
#include "core/analysis/weight_histogram.h"
#include "core/analysis/weight_map.h"
#include "core/analysis/weight_measurement.h"
#include "core/quantization/qparams.h"

namespace calibench {
namespace {

/// Whole numbers from min to max, or the values of a float format: what a level can be.
std::vector<float> possible_levels(const QuantizationArgs& args) {
    std::vector<float> levels;
    if (args.num_bits > 8) return levels;
    const QuantizationRange range = quantization_range(args);
    if (args.type == QuantizationType::Int) {
        for (double level = range.min; level <= range.max; ++level) levels.push_back(static_cast<float>(level));
    } else if (args.num_bits == 4) {
        levels = {-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6};
    } else {
        const at::Tensor all = at::arange(256, at::kInt).to(at::kByte).view(at::kFloat8_e4m3fn).to(at::kFloat);
        for (int64_t code = 0; code < 256; ++code) {
            const auto level = all.const_data_ptr<float>()[code];
            if (level == level && !(level == 0 && code != 0)) levels.push_back(level);  // neither NaN nor -0
        }
    }
    return levels;
}

MapTile matrix_of(const at::Tensor& tensor, const WeightRows& weight) {
    if (!tensor.defined()) return {};
    const at::Tensor matrix = tensor.dim() == 2 ? tensor : tensor.reshape({1, -1});
    const QuantizedWeight& form = weight.quantized();
    return {.rows = matrix.size(0),
            .columns = matrix.size(1),
            .values = {matrix.const_data_ptr<float>(), matrix.const_data_ptr<float>() + matrix.numel()},
            .covers = weight.whole(),
            .cell_rows = form.group_rows,
            .cell_columns = form.group_columns};
}

class MappedWeight final : public WeightInspection {
public:
    MappedWeight(std::shared_ptr<const ModelFiles> model, const std::string& module, const at::Tensor& weight, QuantizedWeight quantized)
        : model_(std::move(model)), rows_(weight, std::move(quantized)), map_(rows_) {
        MapTile errors = WeightMap::empty_coarse_map(rows_.whole());
        measurement_ = measure_weight(rows_, &errors);
        measurement_.facts.module = module;
        if (!errors.values.empty()) map_.keep_coarse_map(WeightLayer::Error, std::move(errors));
    }

    const WeightFacts& facts() const override { return measurement_.facts; }

    MapTile map(WeightLayer layer, const Extent& part, int64_t max_rows, int64_t max_columns) const override {
        return map_.tile(layer, part, max_rows, max_columns);
    }

    ValueHistogram histogram(WeightLayer layer, int bins, const std::optional<Extent>& part) const override {
        if (!part || *part == rows_.whole()) return whole_histogram(layer, bins);
        return make_histogram(rows_, layer, clipped(*part, rows_.whole()), bins);
    }

    std::vector<double> levels(int64_t row, int64_t column) const override {
        std::vector<double> values;
        if (!rows_.is_quantized()) return values;
        const std::vector<float> levels = possible_levels(*rows_.quantized().args);
        const RowScales scales = rows_.scales_of(row);
        const int64_t group = scales.group_of(column);
        RowScales of_group = scales;
        of_group.scale += group;
        if (of_group.zero_point) of_group.zero_point += group;
        of_group.column_group = nullptr;
        of_group.group_columns = static_cast<int64_t>(levels.size()) + 1;  // all in one group
        std::vector<float> restored(levels.size());
        restore(of_group, levels.data(), 0, static_cast<int64_t>(levels.size()), restored.data());
        values.assign(restored.begin(), restored.end());
        std::sort(values.begin(), values.end());  // tuned scales may be negative
        return values;
    }

    std::vector<ChannelError> worst_rows(int64_t count) const override { return worst(measurement_.rows, count); }
    std::vector<ChannelError> worst_columns(int64_t count) const override { return worst(measurement_.columns, count); }

    MapTile scales() const override { return matrix_of(rows_.quantized().stored_scale, rows_); }
    MapTile zero_points() const override { return matrix_of(rows_.quantized().stored_zero_point, rows_); }

private:
    /// The last one is kept: whoever asks what if is shown W's again with each answer.
    ValueHistogram whole_histogram(WeightLayer layer, int bins) const {
        const std::lock_guard lock(histogram_mutex_);
        if (!histogram_ || histogram_layer_ != layer || static_cast<int>(histogram_->counts.size()) != std::max(bins, 1)) {
            histogram_ = make_histogram(rows_, layer, rows_.whole(), bins, whole_range(layer));
            histogram_layer_ = layer;
        }
        return *histogram_;
    }

    std::optional<ValueInterval> whole_range(WeightLayer layer) const {
        switch (layer) {
            case WeightLayer::Weight: return ValueInterval{measurement_.facts.min, measurement_.facts.max};
            case WeightLayer::Quantized: return ValueInterval{measurement_.low_quantized, measurement_.high_quantized};
            case WeightLayer::Error: return ValueInterval{measurement_.low_error, measurement_.high_error};
            case WeightLayer::Scale: break;
        }
        return {};
    }

    std::vector<ChannelError> worst(const std::vector<WeightMeasurement::Channel>& channels, int64_t count) const {
        std::vector<int64_t> order(channels.size());
        std::iota(order.begin(), order.end(), int64_t{0});
        const auto wanted = order.begin() + std::clamp<int64_t>(count, 0, static_cast<int64_t>(order.size()));
        const auto energy = [&](int64_t index) { return channels[static_cast<size_t>(index)].error_energy; };
        std::partial_sort(order.begin(), wanted, order.end(), [&](int64_t a, int64_t b) { return energy(a) != energy(b) ? energy(a) > energy(b) : a < b; });
        std::vector<ChannelError> worst;
        for (auto index = order.begin(); index != wanted; ++index) {
            const WeightMeasurement::Channel& channel = channels[static_cast<size_t>(*index)];
            worst.push_back({*index, decibels(channel.weight_energy, channel.error_energy), channel.max_abs_error,
                             measurement_.error_energy > 0 ? channel.error_energy / measurement_.error_energy : 0});
        }
        return worst;
    }

    std::shared_ptr<const ModelFiles> model_;  ///< kept open: whoever asks what if finds it so
    WeightRows rows_;
    WeightMeasurement measurement_;
    WeightMap map_;
    mutable std::mutex histogram_mutex_;
    mutable std::optional<ValueHistogram> histogram_;
    mutable WeightLayer histogram_layer_ = WeightLayer::Weight;
};

}  // namespace

std::shared_ptr<const WeightInspection> inspect_weight(const WeightRequest& request) {
    const c10::NoGradGuard no_grad;
    const std::shared_ptr<const ModelFiles> model = open_model_files(request.model_dir);
    const at::Tensor weight = model->weight(request.module);
    return std::make_shared<MappedWeight>(model, request.module, weight, QuantizedWeights(*model).find(request, weight));
}

}  // namespace calibench
