#include "core/analysis/input_inspection.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include <ATen/ATen.h>

#include "core/analysis/input_quantizer.h"
#include "core/base/error.h"
#include "core/calibration/sketch_store.h"

namespace calibench {
namespace fs = std::filesystem;

namespace {

constexpr int histogram_bins = 256;

/// The bins of a sketch between min and max, as many of them together as leave no more than enough for a plot.
ValueHistogram between(const SignedHistogram& values, double min, double max) {
    const std::vector<int64_t>& counts = values.counts();
    const auto is_used = [](int64_t count) { return count != 0; };
    const auto first = std::find_if(counts.begin(), counts.end(), is_used) - counts.begin();
    const auto end = std::find_if(counts.rbegin(), counts.rend(), is_used).base() - counts.begin();
    if (first >= end) return {min, max, {}};
    const auto together = (end - first + histogram_bins - 1) / histogram_bins;
    ValueHistogram histogram{values.edge(static_cast<int>(first)), 0, {}};
    for (auto bin = first; bin < end; bin += together)
        histogram.counts.push_back(std::accumulate(counts.begin() + bin, counts.begin() + std::min(bin + together, end), int64_t{0}));
    histogram.high = histogram.low + values.bin_width() * static_cast<double>(together) * static_cast<double>(histogram.counts.size());
    return histogram;
}

double outlier_ratio(std::vector<float> largest) {
    if (largest.empty()) return 0;
    const auto middle = largest.begin() + static_cast<std::ptrdiff_t>(largest.size() / 2);
    std::nth_element(largest.begin(), middle, largest.end());
    const double median = *middle, most = *std::max_element(middle, largest.end());
    return median > 0 ? most / median : most > 0 ? INFINITY : 1;
}

InputFacts facts_of(const std::string& module, const ChannelSketch& channels, const ActivationSketch& sketch, int64_t sharers) {
    InputFacts facts;
    facts.module = module;
    facts.num_tokens = channels.num_tokens;
    facts.num_channels = channels.largest.numel();
    facts.num_sampled_tokens = sketch.num_sampled;
    facts.sample_stride = sketch.sample_stride;
    facts.num_experts_together = sharers;
    facts.min = channels.min;
    facts.max = channels.max;
    const at::Tensor largest = channels.largest.contiguous(), energy = channels.energy.to(at::kFloat).contiguous() / static_cast<double>(channels.num_tokens);
    facts.channel_max.assign(largest.const_data_ptr<float>(), largest.const_data_ptr<float>() + largest.numel());
    facts.channel_mean_square.assign(energy.const_data_ptr<float>(), energy.const_data_ptr<float>() + energy.numel());
    facts.outlier_ratio = outlier_ratio(facts.channel_max);
    facts.histogram = between(sketch.values, facts.min, facts.max);
    return facts;
}

/// Modules of one block are mostly asked for one after the other: the file read last is kept.
std::shared_ptr<const StoredSketches> read_sketches(const fs::path& run_dir, const std::string& block) {
    struct Kept {
        fs::path run_dir;
        std::string block;
        std::optional<fs::file_time_type> written;
        std::shared_ptr<const StoredSketches> sketches;
    };
    static std::mutex mutex;
    static Kept kept;
    const SketchStore store(run_dir);
    const auto written = store.written(block);
    {
        const std::lock_guard lock(mutex);
        if (kept.sketches && kept.run_dir == run_dir && kept.block == block && kept.written == written) return kept.sketches;
    }
    auto read = store.read(block);
    if (!read) return nullptr;
    Kept now{run_dir, block, written, std::make_shared<const StoredSketches>(std::move(*read))};
    const std::lock_guard lock(mutex);
    kept = std::move(now);
    return kept.sketches;
}

class SketchedInput final : public InputInspection {
public:
    SketchedInput(InputFacts facts, InputQuantizer quantizer) : facts_(std::move(facts)), quantizer_(std::move(quantizer)) {}

    [[nodiscard]] const InputFacts& facts() const override { return facts_; }
    [[nodiscard]] InputAnswer answer(const QuantizationArgs& args) const override { return quantizer_.answer(args); }

private:
    InputFacts facts_;
    InputQuantizer quantizer_;
};

}  // namespace

std::shared_ptr<const InputInspection> inspect_input(const fs::path& run_dir, const std::string& module) {
    for (const std::string& block : SketchStore(run_dir).blocks()) {
        if (module.rfind(block + ".", 0) != 0) continue;
        const auto stored = read_sketches(run_dir, block);
        if (!stored) return nullptr;
        const auto place = stored->inputs.modules.find(module);
        if (place == stored->inputs.modules.end()) return nullptr;
        const ActivationSketch& sketch = stored->inputs.sketches.at(place->second.sketch);
        const ChannelSketch& channels = stored->inputs.channels.at(place->second.channels);
        const bool is_shared = place->second.sketch != place->second.channels;
        const auto sharers = std::count_if(stored->inputs.channels.begin(), stored->inputs.channels.end(), [&](const auto& entry) {
            return stored->inputs.modules.at(entry.first).sketch == place->second.sketch;
        });
        const auto ranges = stored->inputs.expert_ranges.find(module);
        const at::Tensor calls = !is_shared ? sketch.ranges : ranges == stored->inputs.expert_ranges.end() ? at::Tensor() : ranges->second;
        return std::make_shared<SketchedInput>(facts_of(module, channels, sketch, is_shared ? sharers : 0),
                                               InputQuantizer(module, sketch, calls, stored->scale_dtype));
    }
    return nullptr;
}

std::vector<OutputError> read_output_errors(const fs::path& run_dir) {
    std::vector<OutputError> errors;
    const SketchStore store(run_dir);
    for (const std::string& block : store.blocks())
        if (const auto stored = store.read(block))
            for (const OutputErrorMeasured& measured : stored->output_errors)
                errors.push_back({measured.module, measured.output_sqnr_db, measured.local_sqnr_db, measured.inherited_sqnr_db});
    return errors;
}

}  // namespace calibench
