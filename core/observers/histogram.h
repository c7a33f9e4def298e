#pragma once

#include "core/observers/min_max.h"

namespace calibench {

/// Values per qparam, counted in bins of equal width over [-2^e, 2^e). The exponent grows with the data, and bins then merge in
/// twos: counts depend only on which values were seen, not on their order or on how they were shared out before a merge.
class SignedHistogram {
public:
    static constexpr int num_bins = 4096;

    SignedHistogram() = default;
    /// As exponent() and counts() told.
    SignedHistogram(int exponent, std::vector<int64_t> counts);

    /// T: float, or uint16_t for the bits of a bfloat16.
    template <typename T>
    void add(const T* values, int64_t count, float largest_magnitude);
    /// Only those below `low` and from `high` on.
    template <typename T>
    void add_outside(const T* values, int64_t count, float largest_magnitude, float low, float high);
    void add(const SignedHistogram& other);

    [[nodiscard]] int64_t total() const;
    [[nodiscard]] double bin_width() const;
    /// Value at the lower edge of a bin; `num_bins` is the upper end.
    [[nodiscard]] double edge(int bin) const { return bin_width() * (bin - num_bins / 2); }
    [[nodiscard]] const std::vector<int64_t>& counts() const { return counts_; }
    [[nodiscard]] int exponent() const { return exponent_; }
    /// Counts of |value|, num_bins / 2 bins of the same width.
    [[nodiscard]] std::vector<int64_t> folded() const;

private:
    void widen_for(float magnitude);
    void widen_to(int exponent);
    [[nodiscard]] float bins_per_unit() const { return float(1.0 / bin_width()); }  ///< a power of two: products with it are exact

    std::vector<int64_t> counts_ = std::vector<int64_t>(num_bins, 0);
    int exponent_ = -100;
};

/// Clips outliers: the range is taken from a histogram of all observations instead of from min and max. An extension; no
/// llm-compressor observer does this (ModelOpt and NNCF do), so an exported recipe marks it.
/// observer_kwargs: mode (percentile | entropy), percentile (99.99).
///   percentile: symmetric args: the least a with so many percent of the values in [-a, a]; else half of the rest is cut at each end.
///   entropy: the a whose clipped and quantized histogram of |value| is closest to the original by Kullback-Leibler divergence.
/// min_vals and max_vals stay those of all data; clipping happens in get_qparams(). Strategies tensor, channel, block, attn_head.
class HistogramObserver final : public StaticMinMaxObserver {
public:
    enum class Mode { Percentile, Entropy };

    HistogramObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                      const nlohmann::json& observer_kwargs = nlohmann::json::object());

    void reset() override;
    void merge(const Observer& other) override;
    /// As if values had passed that were counted elsewhere. Strategy tensor. min, max: scalars in the values' dtype.
    void observe_counts(const SignedHistogram& counts, const MinMax& range);

    /// What qparams are made of: the statistics without the outliers.
    [[nodiscard]] MinMax clipped_range() const { return range_for_qparams(statistics()); }
    /// One per qparam, in the order of min_vals().flatten().
    [[nodiscard]] const std::vector<SignedHistogram>& histograms() const { return histograms_; }

protected:
    MinMax measure(const at::Tensor& flattened) override;
    MinMax range_for_qparams(const MinMax& statistics) const override;

private:
    struct Interval {
        double min, max;
    };
    [[nodiscard]] Interval percentile_interval(const SignedHistogram& histogram) const;
    [[nodiscard]] double entropy_bound(const SignedHistogram& histogram) const;

    Mode mode_ = Mode::Percentile;
    double percentile_;
    std::vector<SignedHistogram> histograms_;
};

}  // namespace calibench
