#pragma once

#include "core/observers/min_max.h"
#include "core/observers/mse_quant.h"

namespace calibench {

/// The range of the last observation that quantizes with the least error (llmcompressor/observers/mse.py, all three).
/// observer_kwargs: those of RangeSearch, by the same names.
class MemorylessMseObserver : public Observer {
public:
    MemorylessMseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                          const nlohmann::json& observer_kwargs = nlohmann::json::object(), const RangeSearch& defaults = {});

protected:
    MinMax measure(const at::Tensor& flattened) override { return search_range(flattened, args(), search_); }

private:
    RangeSearch search_;
};

/// Moving average of the ranges found. observer_kwargs: also averaging_constant (0.01).
class MseObserver final : public MemorylessMseObserver {
public:
    MseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                const nlohmann::json& observer_kwargs = nlohmann::json::object());

protected:
    MinMax accumulate(const MinMax& past, const MinMax& now) const override { return average_.accumulate(past, now); }
    MinMax combine(const MinMax& mine, const MinMax& theirs, double their_share) const override;

private:
    MovingAverage average_;
};

/// Searches from 1.8 times the observed range down to 0.8 times: NVFP4's coarse levels often fit a wider range better.
class Nvfp4ExpandedMseObserver final : public MemorylessMseObserver {
public:
    Nvfp4ExpandedMseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                             const nlohmann::json& observer_kwargs = nlohmann::json::object());
};

/// The search of the NVFP4 observers, weighted and not.
inline constexpr RangeSearch nvfp4_expanded_search{.maxshrink = 1 - 0.8 / 1.8, .patience = 1000, .grid = 200, .expand = 1.8};

}  // namespace calibench
