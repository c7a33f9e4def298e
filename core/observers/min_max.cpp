#include "core/observers/min_max.h"

#include <ATen/ATen.h>

#include "core/kernels/group_min_max.h"

namespace calibench {

MinMax MemorylessMinMaxObserver::measure(const at::Tensor& flattened) {
    auto [min, max] = group_min_max(flattened);
    return {min, max};
}

MinMax StaticMinMaxObserver::accumulate(const MinMax& past, const MinMax& now) const {
    return {at::minimum(now.min, past.min), at::maximum(now.max, past.max)};
}

MinMax StaticMinMaxObserver::combine(const MinMax& mine, const MinMax& theirs, double) const { return accumulate(mine, theirs); }

static at::Tensor interpolate(const at::Tensor& start, const at::Tensor& end, double weight) {
    return start * (1.0 - weight) + end * weight;
}

MinMax MovingAverage::accumulate(const MinMax& past, const MinMax& now) const {
    if (averaging_constant == 1.0) return now;
    return {interpolate(past.min, now.min, averaging_constant), interpolate(past.max, now.max, averaging_constant)};
}

MinMax MovingAverage::mean(const MinMax& mine, const MinMax& theirs, double their_share) {
    return {interpolate(mine.min, theirs.min, their_share), interpolate(mine.max, theirs.max, their_share)};
}

MinMaxObserver::MinMaxObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                               const nlohmann::json& observer_kwargs)
    : MemorylessMinMaxObserver(std::move(base_name), std::move(args), std::move(module), observer_kwargs),
      average_{number_option("averaging_constant", 0.01)} {}

MinMax MinMaxObserver::combine(const MinMax& mine, const MinMax& theirs, double their_share) const {
    return MovingAverage::mean(mine, theirs, their_share);
}

}  // namespace calibench
