#include "core/calibration/range_tracker.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

/// A weight is observed once, so its percentiles may rest on more values than an input's.
static constexpr int64_t weight_sample_size = 65536;

void RangeTracker::observe(const at::Tensor& values) {
    if (values.numel() == 0) return;
    const at::NoGradGuard no_grad;
    const at::Tensor flat = values.detach().contiguous().view({-1});
    const auto [low, high] = at::aminmax(flat);
    const double min = low.item<double>(), max = high.item<double>();
    if (!extremes_) extremes_ = ValueRange{min, max};
    // so written that a NaN comes in and stays
    if (min < extremes_->min || std::isnan(min)) extremes_->min = min;
    if (max > extremes_->max || std::isnan(max)) extremes_->max = max;

    // A step that shares a factor with the row length would visit some columns only.
    int64_t step = std::max<int64_t>(1, flat.numel() / sample_size_);
    while (step > 1 && std::gcd(step, values.size(-1)) != 1) ++step;
    const at::Tensor picked = flat.slice(0, 0, flat.numel(), step).to(at::kFloat).cpu().contiguous();
    const float* data = picked.const_data_ptr<float>();
    std::copy_if(data, data + picked.numel(), std::back_inserter(sample_), [](float value) { return std::isfinite(value); });
}

std::optional<ValueRange> RangeTracker::range() const {
    if (!extremes_) return {};
    ValueRange range = *extremes_;
    std::vector<float> sorted = sample_;
    const auto percentile = [&](double fraction) -> double {
        if (sorted.empty()) return std::nan("");
        const auto at = sorted.begin() + std::llround(fraction * double(sorted.size() - 1));
        std::nth_element(sorted.begin(), at, sorted.end());
        return *at;
    };
    range.p001 = percentile(0.001);
    range.p999 = percentile(0.999);
    return range;
}

RangeObserved observe_weight_range(const Linear& linear, int64_t block) {
    RangeTracker tracker(weight_sample_size);
    tracker.observe(linear.weight);
    const ValueRange range = tracker.range().value_or(ValueRange{});
    if (!std::isfinite(range.min) || !std::isfinite(range.max)) {
        const auto count = linear.weight.numel() - at::isfinite(linear.weight).sum().item<int64_t>();
        throw RunError(concat(linear.name, ": the weight holds ", count, " values that are NaN or infinite. Download the model again."));
    }
    return {block, linear.name, Tap::Weight, range.min, range.max, range.p001, range.p999};
}

}  // namespace calibench
