#include "core/observers/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/activation_tally.h"

namespace calibench {

static_assert(SignedHistogram::num_bins == tally_bins);

/// Below it, adding up the kernel's tables would cost more than counting.
static constexpr int64_t least_for_kernel = 2 * SignedHistogram::num_bins;

SignedHistogram::SignedHistogram(int exponent, std::vector<int64_t> counts) : counts_(std::move(counts)), exponent_(exponent) {
    if (counts_.size() != size_t(num_bins)) throw InputError(concat("a histogram of ", counts_.size(), " bins, expected ", num_bins));
}

void SignedHistogram::widen_to(int exponent) {
    if (exponent <= exponent_) return;
    const int shift = std::min(exponent - exponent_, 31);
    exponent_ = exponent;
    std::vector<int64_t> wider(num_bins, 0);
    for (int bin = 0; bin < num_bins; ++bin)  // an arithmetic shift rounds down, as the bins do
        wider[size_t(((bin - num_bins / 2) >> shift) + num_bins / 2)] += counts_[size_t(bin)];
    counts_ = std::move(wider);
}

static float to_float(float value) { return value; }
static float to_float(uint16_t bits) { return at::BFloat16(bits, at::BFloat16::from_bits()); }

void SignedHistogram::widen_for(float magnitude) {
    int exponent = exponent_;
    if (magnitude > 0) std::frexp(magnitude, &exponent);  // the least with magnitude < 2^exponent
    widen_to(exponent);
}

template <typename T>
void SignedHistogram::add(const T* values, int64_t count, float largest_magnitude) {
    widen_for(largest_magnitude);
    const float per_width = bins_per_unit();
    if (count >= least_for_kernel) return count_values(values, count, per_width, counts_.data());
    for (int64_t i = 0; i < count; ++i) {
        const int bin = int(std::floor(to_float(values[i]) * per_width)) + num_bins / 2;
        ++counts_[size_t(std::clamp(bin, 0, num_bins - 1))];
    }
}

template <typename T>
void SignedHistogram::add_outside(const T* values, int64_t count, float largest_magnitude, float low, float high) {
    widen_for(largest_magnitude);
    count_outside(values, count, low, high, bins_per_unit(), counts_.data());
}

template void SignedHistogram::add(const float*, int64_t, float);
template void SignedHistogram::add(const uint16_t*, int64_t, float);
template void SignedHistogram::add_outside(const float*, int64_t, float, float, float);
template void SignedHistogram::add_outside(const uint16_t*, int64_t, float, float, float);

void SignedHistogram::add(const SignedHistogram& other) {
    SignedHistogram theirs = other;
    theirs.widen_to(exponent_);
    widen_to(theirs.exponent_);
    for (size_t bin = 0; bin < counts_.size(); ++bin) counts_[bin] += theirs.counts_[bin];
}

int64_t SignedHistogram::total() const { return std::accumulate(counts_.begin(), counts_.end(), int64_t{0}); }

double SignedHistogram::bin_width() const { return std::ldexp(2.0 / num_bins, exponent_); }

std::vector<int64_t> SignedHistogram::folded() const {
    std::vector<int64_t> magnitudes(num_bins / 2);
    for (size_t bin = 0; bin < magnitudes.size(); ++bin)
        magnitudes[bin] = counts_[num_bins / 2 + bin] + counts_[num_bins / 2 - 1 - bin];
    return magnitudes;
}

HistogramObserver::HistogramObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                                     const nlohmann::json& observer_kwargs)
    : StaticMinMaxObserver(std::move(base_name), std::move(args), std::move(module), observer_kwargs),
      percentile_(number_option("percentile", 99.99)) {
    const std::string mode = text_option("mode", "percentile");
    if (mode == "entropy") mode_ = Mode::Entropy;
    else if (mode != "percentile") throw InputError(concat("observer_kwargs: mode must be percentile or entropy, got \"", mode, "\""));
    if (!(percentile_ > 0 && percentile_ <= 100)) throw InputError(concat("observer_kwargs: percentile must be in (0, 100], got ", percentile_));
    const auto strategy = this->args().strategy;
    if (strategy == Strategy::Group || strategy == Strategy::TensorGroup || strategy == Strategy::Token)
        throw InputError(concat("The histogram observer keeps a histogram per scale: use strategy tensor, channel, block or attn_head, not ",
                                to_string(*strategy)));
}

void HistogramObserver::reset() {
    StaticMinMaxObserver::reset();
    histograms_.clear();
}

void HistogramObserver::merge(const Observer& other) {
    StaticMinMaxObserver::merge(other);
    const auto& theirs = static_cast<const HistogramObserver&>(other).histograms_;
    if (histograms_.empty()) histograms_ = theirs;
    else for (size_t i = 0; i < theirs.size(); ++i) histograms_[i].add(theirs[i]);
}

void HistogramObserver::observe_counts(const SignedHistogram& counts, const MinMax& range) {
    std::vector<SignedHistogram> all = std::move(histograms_);
    observe(at::stack({range.min, range.max}).view({1, 1, 2}));
    if (all.empty()) all = {counts};
    else all.front().add(counts);
    histograms_ = std::move(all);
}

MinMax HistogramObserver::measure(const at::Tensor& flattened) {
    const MinMax range = StaticMinMaxObserver::measure(flattened);
    const at::Tensor largest = at::maximum(range.max.abs(), range.min.abs()).to(at::kFloat).to(at::kCPU).contiguous();
    if (!at::isfinite(largest).all().item<bool>()) return range;  // to be refused by the caller

    const at::Tensor values = flattened.to(at::kFloat).to(at::kCPU).contiguous();
    const int64_t groups = largest.numel(), size = values.size(-1);
    histograms_.resize(size_t(groups));
    const float* run = values.const_data_ptr<float>();
    for (int64_t observation = 0; observation < values.size(0); ++observation)
        for (int64_t group = 0; group < groups; ++group, run += size)
            histograms_[size_t(group)].add(run, size, largest.const_data_ptr<float>()[group]);
    return range;
}

MinMax HistogramObserver::range_for_qparams(const MinMax& statistics) const {
    const at::Tensor min = statistics.min.to(at::kDouble).to(at::kCPU).contiguous().clone();
    const at::Tensor max = statistics.max.to(at::kDouble).to(at::kCPU).contiguous().clone();
    double* const mins = min.data_ptr<double>();
    double* const maxs = max.data_ptr<double>();
    for (size_t i = 0; i < histograms_.size(); ++i) {
        Interval interval{};
        if (mode_ == Mode::Percentile) {
            interval = percentile_interval(histograms_[i]);
        } else {
            const double bound = entropy_bound(histograms_[i]);
            interval = {-bound, bound};
        }
        mins[i] = std::max(mins[i], interval.min);
        maxs[i] = std::min(maxs[i], interval.max);
    }
    return {min.to(statistics.min.options()), max.to(statistics.max.options())};
}

HistogramObserver::Interval HistogramObserver::percentile_interval(const SignedHistogram& histogram) const {
    const double total = double(histogram.total());
    if (args().symmetric) {
        const std::vector<int64_t> magnitudes = histogram.folded();
        double seen = 0;
        size_t bins = 0;
        while (bins < magnitudes.size() && seen < total * percentile_ / 100) seen += double(magnitudes[bins++]);
        const double bound = histogram.bin_width() * double(bins);
        return {-bound, bound};
    }
    const double cut = total * (1 - percentile_ / 100) / 2;
    const std::vector<int64_t>& counts = histogram.counts();
    int low = 0, high = SignedHistogram::num_bins;
    for (double below = double(counts.front()); below <= cut && low + 1 < high; below += double(counts[size_t(low)])) ++low;
    for (double above = double(counts.back()); above <= cut && high - 1 > low; above += double(counts[size_t(high - 1)])) --high;
    return {histogram.edge(low), histogram.edge(high)};
}

/// Kullback-Leibler divergence of the first `bins` counts, the rest added to the last of them, from the same counts averaged
/// over `levels` equal stretches (Migacz, 8-bit inference with TensorRT, 2017).
static double clipping_divergence(const std::vector<int64_t>& counts, size_t bins, size_t levels, double total) {
    double clipped = 0;
    for (size_t i = bins; i < counts.size(); ++i) clipped += double(counts[i]);
    const double kept = total - clipped;
    double divergence = 0;
    for (size_t level = 0; level < levels; ++level) {
        const size_t begin = level * bins / levels, end = (level + 1) * bins / levels;
        double sum = 0;
        size_t occupied = 0;
        for (size_t i = begin; i < end; ++i) {
            sum += double(counts[i]);
            occupied += counts[i] != 0;
        }
        for (size_t i = begin; i < end; ++i) {
            const double p = double(counts[i]) + (i + 1 == bins ? clipped : 0.0);
            if (p == 0) continue;
            // An empty last bin that takes in what was clipped has no counterpart; half a count stands for it.
            const double q = counts[i] != 0 ? sum / double(occupied) : 0.5;
            divergence += p / total * std::log(p / total / (q / kept));
        }
    }
    return divergence;
}

double HistogramObserver::entropy_bound(const SignedHistogram& histogram) const {
    const std::vector<int64_t> magnitudes = histogram.folded();
    const double total = double(histogram.total());
    const auto levels = size_t{1} << (std::min(args().num_bits, 8) - (args().num_bits > 1 ? 1 : 0));
    size_t used = magnitudes.size();
    while (used > levels && magnitudes[used - 1] == 0) --used;

    constexpr size_t candidates = 128;
    double least = std::numeric_limits<double>::infinity();
    size_t best = used;
    for (size_t i = 0; i <= candidates; ++i) {
        const size_t bins = levels + (used - levels) * i / candidates;
        const double divergence = clipping_divergence(magnitudes, bins, levels, total);
        if (divergence < least) {
            least = divergence;
            best = bins;
        }
    }
    return histogram.bin_width() * double(best);
}

}  // namespace calibench
