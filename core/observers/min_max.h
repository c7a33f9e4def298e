#pragma once

#include "core/observers/observer.h"

namespace calibench {

/// The last observation's min and max (llmcompressor/observers/min_max.py, all three).
class MemorylessMinMaxObserver : public Observer {
public:
    using Observer::Observer;

protected:
    MinMax measure(const at::Tensor& flattened) override;
};

/// Running min and max over all observations.
class StaticMinMaxObserver : public MemorylessMinMaxObserver {
public:
    using MemorylessMinMaxObserver::MemorylessMinMaxObserver;

protected:
    MinMax accumulate(const MinMax& past, const MinMax& now) const override;
    MinMax combine(const MinMax& mine, const MinMax& theirs, double their_share) const override;
};

/// Exponential moving average: past * (1 - c) + now * c, in the observed dtype; the first observation is taken as it is.
struct MovingAverage {
    double averaging_constant = 0.01;

    [[nodiscard]] MinMax accumulate(const MinMax& past, const MinMax& now) const;
    [[nodiscard]] static MinMax mean(const MinMax& mine, const MinMax& theirs, double their_share);
};

/// Moving average of min and max. observer_kwargs: averaging_constant (0.01).
class MinMaxObserver final : public MemorylessMinMaxObserver {
public:
    MinMaxObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                   const nlohmann::json& observer_kwargs = nlohmann::json::object());

protected:
    MinMax accumulate(const MinMax& past, const MinMax& now) const override { return average_.accumulate(past, now); }
    MinMax combine(const MinMax& mine, const MinMax& theirs, double their_share) const override;

private:
    MovingAverage average_;
};

}  // namespace calibench
