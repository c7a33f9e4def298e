#pragma once

#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/observers/histogram.h"
#include "core/observers/noise_bounds.h"

namespace calibench {

/// What is known of the channels of an activation [.., channels].
struct ChannelSketch {
    int64_t num_tokens = 0;
    float min = std::numeric_limits<float>::infinity(), max = -std::numeric_limits<float>::infinity();
    at::Tensor largest;  ///< float32 [channels], max |x|
    at::Tensor energy;   ///< float64 [channels], sum x^2
};

/// Which values of an input get one dynamic scale: those of one forward pass, of a token, or of so many channels of a token.
struct ScaleShare {
    enum class Kind { Call, Token, Group };
    Kind kind = Kind::Token;
    int64_t group_size = 0;
    bool symmetric = true;
    [[nodiscard]] std::string name() const;  ///< "group_32_asym"
    bool operator==(const ScaleShare&) const = default;
};
/// Those that a sketch is prepared for.
[[nodiscard]] const std::vector<ScaleShare>& sketched_shares();

/// What a quantizer could be asked of an activation, gathered in one pass: a few dozen kilobytes whatever passed by.
///
/// Values that share a dynamic scale are sorted into cells relative to their range, with three sums per cell (NoiseBounds). For integers
/// of 8, 4 and 2 bits the cells end where the rounding does, so that the error's power is known exactly; otherwise a cell that a rounding
/// border parts leaves it open between the bounds that its sums allow. Values for static scales are kept likewise, in finer cells.
struct ActivationSketch {
    int64_t num_channels = 0;
    int64_t num_sampled = 0;         ///< tokens behind the cells and what is measured; 0: none of these are known
    int64_t sample_stride = 1;       ///< every so many-th token was taken, the first one in the middle of a stride
    bool by_expert = false;          ///< the inputs were [tokens, channels]: a "token" scale is one of the whole call then
    at::ScalarType dtype = at::kFloat;
    at::Tensor ranges;               ///< float32 [calls, 2]: min and max of each; [1, 2] by expert
    SignedHistogram values;          ///< of all tokens: exact below open_low and from open_high on, between them as the first tokens were
    double open_low = 0, open_high = 0;
    double sampled_energy = 0;       ///< sum x^2
    double sampled_largest = 0;      ///< max |x|
    at::Tensor static_cells;         ///< float32 [cells, 3], relative to sampled_largest
    std::map<std::string, at::Tensor> cells;  ///< by ScaleShare::name(); none where groups do not divide the channels
    std::map<std::string, double> measured;   ///< sum of (x - xq)^2 of formats with rounded scales: "mxfp4", "mxfp8", "nvfp4_static_minmax", ..

    [[nodiscard]] bool has(const ScaleShare& share) const { return cells.contains(share.name()); }
    /// The sum of (x - xq)^2 with scales that follow from the range. `levels`: of magnitudes, ascending from 0; 1 is the largest magnitude
    /// of what shares the scale (symmetric), or the distance from its min to its max.
    [[nodiscard]] NoiseBounds dynamic_noise(const ScaleShare& share, std::span<const double> levels) const;
    /// The same with one scale for all. `levels`: dequantized, ascending.
    [[nodiscard]] NoiseBounds static_noise(std::span<const double> levels) const;
    /// The sum over values of the square of the range that each one's scale follows from.
    [[nodiscard]] double squared_ranges(const ScaleShare& share) const;
};

/// Gathers a sketch while activations pass by.
class ActivationSketcher {
public:
    struct Range {
        float min, max;  ///< NaN where a NaN passed
    };

    /// Every `sample_stride`th token is kept until finish().
    explicit ActivationSketcher(int64_t sample_stride) : sample_stride_(sample_stride) {}

    /// input [.., channels]. Experts may share one sketcher, each with channels of its own. The range of this input.
    Range observe(const at::Tensor& input, ChannelSketch& channels);
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    [[nodiscard]] ActivationSketch finish();

private:
    [[nodiscard]] Range tally(const at::Tensor& rows, ChannelSketch& channels);
    [[nodiscard]] Range tally_by_operations(const at::Tensor& rows, ChannelSketch& channels);
    void sort_into_cells(const at::Tensor& sample, const at::Tensor& calls, ActivationSketch& sketch) const;
    void measure(const at::Tensor& sample, ActivationSketch& sketch) const;

    [[nodiscard]] bool counts_all() const { return !(open_low_ < open_high_); }
    void leave_the_middle_open();
    void close_the_middle(ActivationSketch& sketch) const;

    int64_t sample_stride_;
    bool by_expert_ = false;
    at::ScalarType dtype_ = at::kFloat;
    std::vector<Range> ranges_;
    SignedHistogram values_;
    int64_t num_values_ = 0;
    float open_low_ = 0, open_high_ = 0;    ///< values between these are not counted any longer
    std::vector<at::Tensor> samples_;       ///< rows, in the activations' dtype
    std::vector<Range> ranges_of_samples_;  ///< of the call that each came with
};

}  // namespace calibench
