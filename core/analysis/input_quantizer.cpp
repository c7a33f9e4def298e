#include "core/analysis/input_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/observers/registry.h"

namespace calibench {

namespace {

/// Magnitudes of a float with so many mantissa bits, before scaling.
std::vector<double> float_levels(int mantissa_bits, int least_exponent, double largest) {
    std::vector<double> levels;
    const int mantissas = 1 << mantissa_bits;
    for (int m = 0; m < mantissas; ++m) levels.push_back(std::ldexp(m, least_exponent - mantissa_bits));  // subnormal
    for (int exponent = least_exponent; levels.back() < largest; ++exponent)
        for (int m = 0; m < mantissas && levels.back() < largest; ++m) levels.push_back(std::ldexp(mantissas + m, exponent - mantissa_bits));
    return levels;
}

/// Of the values before scaling, from 0 up; integers go as far as the lowest.
std::vector<double> magnitudes(const QuantizationArgs& args) {
    if (args.type == QuantizationType::Float) return args.num_bits == 4 ? float_levels(1, 0, 6) : float_levels(3, -6, 448);
    std::vector<double> levels;
    const int count = 1 << (args.symmetric ? args.num_bits - 1 : args.num_bits);
    for (int level = 0; level < count + (args.symmetric ? 1 : 0); ++level) levels.push_back(level);
    return levels;
}

/// Of the values after scaling, from the lowest up.
std::vector<double> dequantized(const QuantizationArgs& args, double scale, double zero_point) {
    std::vector<double> levels;
    if (args.type == QuantizationType::Float) {
        const std::vector<double> positive = magnitudes(args);
        for (auto level = positive.rbegin(); level != positive.rend(); ++level)
            if (*level > 0) levels.push_back(-*level * scale);
        for (const double level : positive) levels.push_back(level * scale);
    } else {
        const QuantizationRange range = quantization_range(args);
        for (double level = range.min; level <= range.max; ++level) levels.push_back((level - zero_point) * scale);
    }
    return levels;
}

void require_known(const QuantizationArgs& args) {
    const bool is_float = args.type == QuantizationType::Float;
    if (is_float ? args.num_bits != 4 && args.num_bits != 8 : args.num_bits < 2 || args.num_bits > 8)
        throw InputError(concat("The sketch of an input answers for integers of 2 to 8 bits and floats of 4 or 8, not for ", describe(args), "."));
    if (is_float && !args.symmetric) throw InputError("The sketch of an input answers for symmetric floats only; remove symmetric: false.");
}

/// Of one rounding in this dtype, relative.
double rounding_of(at::ScalarType dtype) {
    switch (dtype) {
        case at::kBFloat16: return std::exp2(-9);
        case at::kHalf: return std::exp2(-12);
        default: return std::exp2(-24);
    }
}

/// Quotient, scale and product are rounded, and a value next to a border may go to either side of it: no error changes by more than this
/// many roundings of its value.
constexpr double roundings_of_value = 6;
/// With a zero point there are two more, of a level.
constexpr double roundings_of_level = 2;

double decibels(double ratio) { return 10 * std::log10(ratio); }

}  // namespace

InputAnswer InputQuantizer::answer(const QuantizationArgs& given) const {
    const QuantizationArgs args = resolve_defaults(given);
    require_known(args);
    if (sketch_.num_sampled == 0) throw InputError(concat("The run saw too few tokens of ", module_, ". Use more or longer samples."));
    const bool is_nvfp4 = args.strategy == Strategy::TensorGroup && args.type == QuantizationType::Float && args.num_bits == 4 && args.group_size == 16;
    if (is_mx(args) && args.strategy == Strategy::Group) return answer_measured(concat("mxfp", args.num_bits));
    if (is_nvfp4 && sketch_.by_expert)
        throw InputError("The experts of a block share a sketch, but each has a global scale of its own for NVFP4: only a run can tell.");
    if (is_nvfp4) return answer_measured(concat("nvfp4_", args.observer.value_or("minmax")));
    if (args.scale_dtype || args.strategy == Strategy::TensorGroup)
        throw InputError(concat("The sketch of an input knows rounded scales of MXFP4, MXFP8 and NVFP4 only, not of ", describe(args), "."));
    return args.dynamic == Dynamic::No ? answer_static(args) : answer_dynamic(args);
}

InputAnswer InputQuantizer::answer_static(const QuantizationArgs& args) const {
    if (args.strategy != Strategy::Tensor)
        throw InputError(concat("Static inputs have one scale per tensor, not per ", to_string(*args.strategy), "; use strategy tensor, or dynamic: true."));
    const ScaleAndZeroPoint observed = observed_scale(args);
    const at::Tensor stored = observed.scale.to(scale_dtype_);
    InputAnswer answer;
    answer.scale = stored.item<double>();
    answer.zero_point = args.symmetric ? 0 : observed.zero_point.to(at::kDouble).item<double>();

    const double used = stored.to(sketch_.dtype).item<double>();
    const std::vector<double> levels = dequantized(args, used, answer.zero_point);
    count_clipped(levels.front() - (levels[1] - levels[0]) / 2, levels.back() + (levels.back() - levels[levels.size() - 2]) / 2, answer);
    const double num_values = static_cast<double>(sketch_.num_sampled * sketch_.num_channels);
    const double offset_rounding = args.symmetric ? 0 : roundings_of_level * static_cast<double>(levels.size()) * used * std::sqrt(num_values);
    return with_noise(sketch_.static_noise(levels), offset_rounding, answer);
}

InputAnswer InputQuantizer::answer_dynamic(const QuantizationArgs& args) const {
    ScaleShare share{ScaleShare::Kind::Token, 0, args.symmetric};
    if (args.strategy == Strategy::Tensor) share.kind = ScaleShare::Kind::Call;
    if (args.strategy == Strategy::Group) share = {ScaleShare::Kind::Group, args.group_size.value_or(0), args.symmetric};
    if (!sketch_.has(share)) {
        if (share.group_size > 0 && sketch_.num_channels % share.group_size != 0)
            throw InputError(concat("Groups of ", share.group_size, " do not divide the ", sketch_.num_channels, " channels of ", module_, "."));
        throw InputError(concat("The sketch of an input knows groups of 16, 32, 64 and 128 channels, not of ", share.group_size, "."));
    }
    std::vector<double> levels = magnitudes(args);
    const double steps = args.type == QuantizationType::Float ? quantization_range(args).max
                         : std::exp2(args.num_bits) - 1;
    const double range = args.type == QuantizationType::Int && args.symmetric ? steps / 2 : steps;
    for (double& level : levels) level /= range;
    const double squared_ranges = sketch_.squared_ranges(share);
    const double offset_rounding = args.symmetric ? 0 : roundings_of_level * std::sqrt(squared_ranges);
    return with_noise(sketch_.dynamic_noise(share, levels), offset_rounding, {});
}

InputAnswer InputQuantizer::answer_measured(const std::string& key) const {
    const auto found = sketch_.measured.find(key);
    if (found != sketch_.measured.end()) return with_noise({found->second, found->second, found->second}, 0, {}, std::exp2(-24));
    if (key.rfind("nvfp4", 0) == 0 && sketch_.num_channels % 16 == 0)
        throw InputError("The sketch of an input knows NVFP4 with the observers static_minmax and memoryless_minmax only.");
    throw InputError(concat("The groups of ", key, " do not divide the ", sketch_.num_channels, " channels of ", module_, "."));
}

/// By the observer itself: of what it looks at it is shown the same.
ScaleAndZeroPoint InputQuantizer::observed_scale(const QuantizationArgs& args) const {
    if (!calls_.defined())
        throw InputError(concat("Static scales of experts come from a pass in which every expert sees every token, and this run took none. Run it with "
                                "static inputs for ", module_, " once."));
    const std::string name = args.observer.value_or("minmax");
    const auto observer = make_observer(name, "input", args, ObservedModule{module_});
    const at::Tensor calls = calls_.to(sketch_.dtype);
    if (auto* histogram = dynamic_cast<HistogramObserver*>(observer.get())) {
        if (sketch_.by_expert) throw InputError("The experts of a block share the histogram of their inputs; use another observer than histogram.");
        histogram->observe_counts(sketch_.values, {calls.select(1, 0).min(), calls.select(1, 1).max()});
        const MinMax clipped = histogram->clipped_range();
        const double margin = sketch_.values.bin_width();
        const bool needs_all = histogram->text_option("mode", "percentile") != "percentile";
        if (sketch_.open_low < sketch_.open_high &&
            (needs_all || clipped.min.item<double>() >= sketch_.open_low - margin || clipped.max.item<double>() <= sketch_.open_high + margin))
            throw InputError("Of so many tokens the sketch counts the outer values only; ask for a percentile of 99.5 or more, or for another observer.");
    } else if (dynamic_cast<MemorylessMinMaxObserver*>(observer.get())) {
        for (int64_t call = 0; call < calls.size(0); ++call) observer->observe(calls[call].view({1, 1, 2}));
    } else {
        throw InputError(concat("The observer ", name, " searches among the values themselves, which no sketch keeps; use minmax, static_minmax, "
                                "memoryless_minmax or histogram."));
    }
    return observer->get_qparams();
}

/// Counts what lies outside of [low, high], in part where a bin does.
void InputQuantizer::count_clipped(double low, double high, InputAnswer& answer) const {
    if (calls_.min().item<double>() >= low && calls_.max().item<double>() <= high) return;
    int64_t surely = 0, perhaps = 0;
    for (int bin = 0; bin < SignedHistogram::num_bins; ++bin) {
        const int64_t count = sketch_.values.counts()[static_cast<size_t>(bin)];
        const double begin = sketch_.values.edge(bin), end = sketch_.values.edge(bin + 1);
        const bool is_open = begin < sketch_.open_high && end > sketch_.open_low;
        if ((end <= low || begin > high) && !is_open) surely += count;
        else if (begin < low || end > high) perhaps += count;
    }
    const auto total = static_cast<double>(std::max<int64_t>(1, sketch_.values.total()));
    answer.clipped_share = (static_cast<double>(surely) + static_cast<double>(perhaps) / 2) / total;
    answer.clipped_error = static_cast<double>(perhaps) / 2 / total;
}

/// `levels_moved`: the root of the sum over values of the squares by which a rounded zero point may move them, in roundings.
InputAnswer InputQuantizer::with_noise(NoiseBounds noise, double levels_moved, InputAnswer answer, std::optional<double> rounding) const {
    const double estimate = noise.estimate, energy = sketch_.sampled_energy;
    noise.widen(rounding.value_or(rounding_of(sketch_.dtype)) * (roundings_of_value * std::sqrt(energy) + levels_moved));
    constexpr double infinity = std::numeric_limits<double>::infinity();
    answer.sqnr_db = estimate > 0 ? decibels(energy / estimate) : infinity;
    if (estimate > 0) answer.sqnr_error_db = noise.least > 0 ? std::max(decibels(noise.most / estimate), decibels(estimate / noise.least)) : infinity;
    return answer;
}

}  // namespace calibench
