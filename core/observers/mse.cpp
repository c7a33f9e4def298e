#include "core/observers/mse.h"

namespace calibench {

MemorylessMseObserver::MemorylessMseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                                             const nlohmann::json& observer_kwargs, const RangeSearch& defaults)
    : Observer(std::move(base_name), std::move(args), std::move(module), observer_kwargs),
      search_(defaults.overridden_by(*this)) {}

MseObserver::MseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                         const nlohmann::json& observer_kwargs)
    : MemorylessMseObserver(std::move(base_name), std::move(args), std::move(module), observer_kwargs),
      average_{number_option("averaging_constant", 0.01)} {}

MinMax MseObserver::combine(const MinMax& mine, const MinMax& theirs, double their_share) const {
    return MovingAverage::mean(mine, theirs, their_share);
}

Nvfp4ExpandedMseObserver::Nvfp4ExpandedMseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                                                   const nlohmann::json& observer_kwargs)
    : MemorylessMseObserver(std::move(base_name), std::move(args), std::move(module), observer_kwargs, nvfp4_expanded_search) {}

}  // namespace calibench
