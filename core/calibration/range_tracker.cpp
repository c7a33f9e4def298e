#include "core/calibration/range_tracker.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/all_finite.h"
#include "core/kernels/group_min_max.h"

namespace calibench {

/// A weight is observed once, so its percentiles may rest on more values than an input's.
static constexpr int64_t weight_sample_size = 65536;

static std::pair<double, double> min_max_of(const at::Tensor& values) {
    const auto [low, high] = group_min_max(values.detach().contiguous().view({1, 1, -1}));
    return {low.item<double>(), high.item<double>()};
}

std::pair<double, double> LastMinMax::of(const at::Tensor& values) {
    if (last_._unsafe_get_target() == values.unsafeGetTensorImpl()) return min_max_;
    min_max_ = min_max_of(values);
    last_ = c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>(values.getIntrusivePtr());
    return min_max_;
}

void RangeTracker::observe(const at::Tensor& values) {
    if (values.numel() == 0) return;
    const auto [min, max] = min_max_of(values);
    observe(values, min, max);
}

void RangeTracker::observe(const at::Tensor& values, double min, double max) {
    if (values.numel() == 0) return;
    const at::NoGradGuard no_grad;
    const at::Tensor flat = values.detach().contiguous().view({-1});
    if (!extremes_) extremes_ = ValueRange{min, max};
    // so written that a NaN comes in and stays
    if (min < extremes_->min || std::isnan(min)) extremes_->min = min;
    if (max > extremes_->max || std::isnan(max)) extremes_->max = max;

    // A step that shares a factor with the row length would visit some columns only.
    int64_t step = std::max<int64_t>(1, flat.numel() / sample_size_);
    while (step > 1 && std::gcd(step, values.size(-1)) != 1) ++step;
    const at::Tensor picked = flat.slice(0, 0, flat.numel(), step).cpu();
    const size_t known = sample_.size();
    sample_.resize(known + static_cast<size_t>(picked.numel()));
    float* const to = sample_.data() + known;
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, picked.scalar_type(), "RangeTracker", [&] {
        const scalar_t* data = picked.const_data_ptr<scalar_t>();
        const int64_t count = picked.numel(), stride = picked.stride(0);
        for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(data[i * stride]);
    });
    if (!std::isfinite(min) || !std::isfinite(max))
        sample_.erase(std::remove_if(sample_.begin() + static_cast<std::ptrdiff_t>(known), sample_.end(), [](float value) { return !std::isfinite(value); }), sample_.end());
}

/// The value that `rank` others come before. A bound that every 64th value suggests leaves few candidates of a rank near the end.
template <class Before>
static float value_at_rank(const std::vector<float>& values, size_t rank, Before before) {
    constexpr size_t stride = 64;
    std::vector<float> some;
    for (size_t i = 0; i < values.size(); i += stride) some.push_back(values[i]);
    const auto bound = some.begin() + static_cast<std::ptrdiff_t>(std::min(2 * rank / stride + 8, some.size() - 1));
    std::nth_element(some.begin(), bound, some.end(), before);

    std::vector<float> candidates;
    std::copy_if(values.begin(), values.end(), std::back_inserter(candidates), [&](float value) { return !before(*bound, value); });
    if (candidates.size() <= rank) candidates = values;
    const auto found = candidates.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(candidates.begin(), found, candidates.end(), before);
    return *found;
}

std::optional<ValueRange> RangeTracker::range() const {
    if (!extremes_) return {};
    ValueRange range = *extremes_;
    range.p001 = range.p999 = std::nan("");
    if (sample_.empty()) return range;
    const auto tail = static_cast<size_t>(std::llround(0.001 * static_cast<double>(sample_.size() - 1)));
    range.p001 = value_at_rank(sample_, tail, std::less<>());
    range.p999 = value_at_rank(sample_, tail, std::greater<>());
    return range;
}

void require_finite_weight(const Linear& linear) {
    if (all_finite(linear.weight)) return;
    const auto count = linear.weight.numel() - at::isfinite(linear.weight).sum().item<int64_t>();
    throw RunError(concat(linear.name, ": the weight holds ", count, " values that are NaN or infinite. Download the model again."));
}

RangeObserved observe_weight_range(const Linear& linear, int64_t block) {
    RangeTracker tracker(weight_sample_size);
    tracker.observe(linear.weight);
    const ValueRange range = tracker.range().value_or(ValueRange{});
    if (!std::isfinite(range.min) || !std::isfinite(range.max)) require_finite_weight(linear);
    return {block, linear.name, Tap::Weight, range.min, range.max, range.p001, range.p999};
}

}  // namespace calibench
