#include "core/observers/activation_sketch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include "core/base/text.h"
#include "core/kernels/cpu/activation_tally.h"
#include "core/kernels/cpu/parallel.h"
#include "core/quantization/activation_quantizer.h"
#include "core/quantization/qparams.h"

namespace calibench {

namespace {

/// From so many values on only the tails are counted, each this share of all.
constexpr int64_t values_counted_at_first = 1 << 20;
constexpr double share_of_tail = 0.0025;

/// Cells are counted in steps of 8-bit integers. An integer of fewer bits, 4 or 2, has a multiple of these.
double largest_in_steps(bool symmetric) { return symmetric ? 127.5 : 255; }

CellLayout layout_of(int cells_per_octave_log2, int least_exponent, int linear_exponent) {
    CellLayout layout{};
    layout.shift = 23 - cells_per_octave_log2;
    layout.base = static_cast<uint32_t>(127 + least_exponent) << cells_per_octave_log2;
    layout.linear_from = static_cast<float>(std::exp2(linear_exponent));
    layout.linear_cell = 1 + ((linear_exponent - least_exponent) << cells_per_octave_log2);
    return layout;
}

/// 32 cells to each doubling up to 32 steps, so that they end at every half step, and the steps' own rounding cells beyond.
CellLayout shared_layout(bool symmetric) {
    CellLayout layout = layout_of(5, -4, 5);
    layout.num_cells = layout.linear_cell + static_cast<int>(std::ceil(largest_in_steps(symmetric) + 0.5)) - 32 + 1;
    return layout;
}

/// 128 cells to each doubling of x / max |x|, of either sign.
CellLayout static_layout() {
    CellLayout layout = layout_of(7, -12, 0);
    layout.sign_stride = layout.linear_cell + 1;  // 1 itself has a cell
    layout.num_cells = 2 * layout.sign_stride;
    layout.linear_from = 2;
    return layout;
}

struct Edges {
    double low, high;
};
Edges edges_of(int cell, const CellLayout& layout) {
    const int cells_per_octave_log2 = 23 - layout.shift;
    const auto octave_edge = [&](int index) {
        const auto bits = static_cast<int>(layout.base) + index - 1;
        const double fraction = static_cast<double>(bits & ((1 << cells_per_octave_log2) - 1)) / (1 << cells_per_octave_log2);
        return index <= 0 ? 0.0 : std::ldexp(1 + fraction, (bits >> cells_per_octave_log2) - 127);
    };
    if (cell < layout.linear_cell || layout.sign_stride > 0) return {octave_edge(cell), octave_edge(cell + 1)};
    const double whole = static_cast<double>(layout.linear_from) + cell - layout.linear_cell;
    return {cell == layout.linear_cell ? whole : whole - 0.5, whole + 0.5};
}

at::Tensor centred(const std::vector<MomentCell>& cells, const CellLayout& layout) {
    const at::Tensor stored = at::empty({static_cast<int64_t>(cells.size()), 3}, at::kFloat);
    auto* out = stored.data_ptr<float>();
    for (size_t i = 0; i < cells.size(); ++i, out += 3) {
        const int cell = static_cast<int>(i);
        const Edges edges = edges_of(layout.sign_stride > 0 ? cell % layout.sign_stride : cell, layout);
        const double centre = (edges.low + edges.high) / 2;
        const auto& [weight, first, second, unused] = cells[i];
        out[0] = static_cast<float>(weight);
        out[1] = static_cast<float>(first - centre * weight);
        out[2] = static_cast<float>(std::max(0.0, second - 2 * centre * first + centre * centre * weight));
    }
    return stored;
}

NoiseBounds bound_noise(const at::Tensor& stored, const CellLayout& layout, std::span<const double> levels) {
    const at::Tensor sums = stored.contiguous();
    const auto* in = sums.const_data_ptr<float>();
    NoiseBounds bounds;
    for (int cell = 0; cell < sums.size(0); ++cell, in += 3) {
        const bool negative = layout.sign_stride > 0 && cell >= layout.sign_stride;
        const Edges edges = edges_of(negative ? cell - layout.sign_stride : cell, layout);
        const double centre = (edges.low + edges.high) / 2;
        const MomentSums sum = negative ? MomentSums{-edges.high, -edges.low, -centre, in[0], -in[1], in[2]}
                                        : MomentSums{edges.low, edges.high, centre, in[0], in[1], in[2]};
        bounds.add(sum, levels);
    }
    return bounds;
}

std::vector<double> times(std::span<const double> values, double factor) {
    std::vector<double> scaled(values.begin(), values.end());
    for (double& value : scaled) value *= factor;
    return scaled;
}

struct Ranges {
    at::Tensor min, max;  ///< float32 [tokens, scales of a token]
};

Ranges merged(const Ranges& fine, int64_t factor) {
    const auto split = [&](const at::Tensor& values) { return values.unflatten(1, {values.size(1) / factor, factor}); };
    return {split(fine.min).amin(-1), split(fine.max).amax(-1)};
}

constexpr int64_t least_group = 16;

Ranges ranges_of(const at::Tensor& sample, int64_t group_size) {
    const auto [min, max] = sample.unflatten(1, {sample.size(1) / group_size, group_size}).aminmax(-1);
    return {min, max};
}

at::Tensor sort_shares(const at::Tensor& sample, const Ranges& ranges, bool symmetric) {
    const CellLayout layout = shared_layout(symmetric);
    std::vector<MomentCell> cells(static_cast<size_t>(layout.num_cells), MomentCell{});
    const at::Tensor min = ranges.min.contiguous(), max = ranges.max.contiguous();
    const auto* mins = min.const_data_ptr<float>();
    const auto* maxs = max.const_data_ptr<float>();
    const auto* values = sample.const_data_ptr<float>();
    const int64_t size = sample.numel() / min.numel();
    for (int64_t share = 0; share < min.numel(); ++share, values += size) {
        const float low = std::min(mins[share], 0.0f), high = std::max(maxs[share], 0.0f);
        const double range = symmetric ? std::max(-static_cast<double>(low), static_cast<double>(high)) : static_cast<double>(high) - low;
        if (!(range > 0) || !std::isfinite(range)) continue;
        const double step = range / largest_in_steps(symmetric);
        add_moments(values, size, static_cast<float>(1 / step), step * step, layout, cells.data());
    }
    return centred(cells, layout);
}

at::Tensor sort_static(const at::Tensor& sample, double largest) {
    const CellLayout layout = static_layout();
    std::vector<MomentCell> cells(static_cast<size_t>(layout.num_cells), MomentCell{});
    if (largest > 0) add_moments(sample.const_data_ptr<float>(), sample.numel(), static_cast<float>(1 / largest), largest * largest, layout, cells.data());
    return centred(cells, layout);
}

}  // namespace

std::string ScaleShare::name() const {
    const std::string kinds[] = {"call", "token", concat("group_", group_size)};
    return kinds[static_cast<size_t>(kind)] + (symmetric ? "" : "_asym");
}

const std::vector<ScaleShare>& sketched_shares() {
    static const std::vector<ScaleShare> shares = [] {
        std::vector<ScaleShare> all;
        for (const bool symmetric : {true, false}) {
            for (const auto kind : {ScaleShare::Kind::Call, ScaleShare::Kind::Token}) all.push_back({kind, 0, symmetric});
            for (const int64_t size : {16, 32, 64, 128}) all.push_back({ScaleShare::Kind::Group, size, symmetric});
        }
        return all;
    }();
    return shares;
}

NoiseBounds ActivationSketch::dynamic_noise(const ScaleShare& share, std::span<const double> levels) const {
    return bound_noise(cells.at(share.name()), shared_layout(share.symmetric), times(levels, largest_in_steps(share.symmetric)));
}

NoiseBounds ActivationSketch::static_noise(std::span<const double> levels) const {
    if (!(sampled_largest > 0)) return {};
    return bound_noise(static_cells, static_layout(), times(levels, 1 / sampled_largest));
}

double ActivationSketch::squared_ranges(const ScaleShare& share) const {
    const double steps = largest_in_steps(share.symmetric);
    return cells.at(share.name()).select(1, 0).sum(at::kDouble).item<double>() * steps * steps;
}

ActivationSketcher::Range ActivationSketcher::observe(const at::Tensor& input, ChannelSketch& channels) {
    if (input.numel() == 0) return {0, 0};
    const at::NoGradGuard no_grad;
    const at::Tensor rows = input.detach().reshape({-1, input.size(-1)});
    by_expert_ = input.dim() == 2;
    dtype_ = input.scalar_type();
    num_values_ += rows.numel();
    const Range range = tally(rows, channels);
    const int64_t first = (sample_stride_ / 2 + sample_stride_ - channels.num_tokens % sample_stride_) % sample_stride_;
    channels.num_tokens += rows.size(0);
    channels.min = std::min(channels.min, range.min);
    channels.max = std::max(channels.max, range.max);
    ranges_.push_back(range);

    if (first >= rows.size(0)) return range;
    samples_.push_back(rows.slice(0, first, rows.size(0), sample_stride_).to(at::kCPU, dtype_, /*non_blocking=*/false, /*copy=*/true));
    ranges_of_samples_.insert(ranges_of_samples_.end(), static_cast<size_t>(samples_.back().size(0)), range);
    return range;
}

ActivationSketcher::Range ActivationSketcher::tally(const at::Tensor& values, ChannelSketch& channels) {
    if (!channels.largest.defined()) {
        channels.largest = at::zeros({values.size(1)}, at::kFloat);
        channels.energy = at::zeros({values.size(1)}, at::kDouble);
    }
    const bool is_bfloat16 = values.scalar_type() == at::kBFloat16;
    if (!values.device().is_cpu() || (!is_bfloat16 && values.scalar_type() != at::kFloat)) return tally_by_operations(values, channels);
    const at::Tensor rows = values.contiguous();
    const int64_t columns = rows.size(1);

    // Parts depend on the shape alone, and so do the sums.
    constexpr int64_t values_per_part = 1 << 18, values_in_cache = 1 << 15;
    const int64_t num_parts = std::clamp<int64_t>(rows.numel() / values_per_part, 1, 16);
    const int64_t rows_per_part = (rows.size(0) + num_parts - 1) / num_parts;
    struct Part {
        std::vector<float> largest, energy;
        Range range;
        SignedHistogram values;
    };
    std::vector<Part> parts(static_cast<size_t>(num_parts));
    const auto tally_part = [&]<typename T>(const T* data, int64_t index) {
        Part& part = parts[static_cast<size_t>(index)];
        part.largest.resize(static_cast<size_t>(columns));
        part.energy.resize(static_cast<size_t>(columns));
        constexpr float infinity = std::numeric_limits<float>::infinity();
        part.range = {infinity, -infinity};
        const int64_t at_a_time = std::max<int64_t>(1, values_in_cache / columns), end = std::min(rows.size(0), (index + 1) * rows_per_part);
        for (int64_t row = index * rows_per_part; row < end; row += at_a_time) {
            const int64_t count = std::min(at_a_time, end - row);
            ColumnTally tally{part.largest.data(), part.energy.data(), infinity, -infinity};
            tally_columns(data + row * columns, count, columns, tally);
            part.range = {std::min(part.range.min, tally.min), std::max(part.range.max, tally.max)};
            const float largest = std::max(-tally.min, tally.max);
            if (!std::isfinite(largest)) continue;
            if (counts_all()) part.values.add(data + row * columns, count * columns, largest);
            else if (tally.min < open_low_ || tally.max >= open_high_) part.values.add_outside(data + row * columns, count * columns, largest, open_low_, open_high_);
        }
    };
    parallel_for(num_parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
            if (is_bfloat16) tally_part(static_cast<const uint16_t*>(rows.const_data_ptr()), part);
            else tally_part(rows.const_data_ptr<float>(), part);
        }
    });

    Range range = parts.front().range;
    bool has_nan = false;  // comparisons pass over it, sums do not
    auto* largest = channels.largest.data_ptr<float>();
    auto* energy = channels.energy.data_ptr<double>();
    for (const Part& part : parts) {
        range = {std::min(range.min, part.range.min), std::max(range.max, part.range.max)};
        values_.add(part.values);
        for (size_t column = 0; column < part.largest.size(); ++column) {
            largest[column] = std::max(largest[column], part.largest[column]);
            energy[column] += static_cast<double>(part.energy[column]);
            has_nan = has_nan || std::isnan(part.energy[column]);
        }
    }
    if (counts_all() && values_.total() >= values_counted_at_first) leave_the_middle_open();
    return has_nan ? Range{std::nanf(""), std::nanf("")} : range;
}

/// The same by tensor operations, for other dtypes, and for devices that only what was found should leave.
ActivationSketcher::Range ActivationSketcher::tally_by_operations(const at::Tensor& values, ChannelSketch& channels) {
    const at::Tensor rows = values.to(at::kFloat);
    const auto [low, high] = rows.aminmax();
    const Range range{low.item<float>(), high.item<float>()};
    const float largest = std::max(-range.min, range.max);
    channels.largest = at::maximum(channels.largest, rows.abs().amax(0).cpu());
    channels.energy += rows.square().sum(0).to(at::kDouble).cpu();
    if (!std::isfinite(largest)) return range;
    int exponent = SignedHistogram().exponent();
    if (largest > 0) std::frexp(largest, &exponent);
    const double width = SignedHistogram(exponent, std::vector<int64_t>(SignedHistogram::num_bins)).bin_width();
    const at::Tensor bins = (rows / width).floor_().add_(SignedHistogram::num_bins / 2).clamp_(0, SignedHistogram::num_bins - 1).to(at::kLong);
    const at::Tensor counts = at::bincount(bins.flatten(), {}, SignedHistogram::num_bins).cpu();
    values_.add(SignedHistogram(exponent, {counts.const_data_ptr<int64_t>(), counts.const_data_ptr<int64_t>() + counts.numel()}));
    return range;
}

/// Counting costs more than all the rest, and only the tails decide where a percentile lies.
void ActivationSketcher::leave_the_middle_open() {
    const auto of_tail = static_cast<int64_t>(share_of_tail * static_cast<double>(values_.total()));
    const std::vector<int64_t>& counts = values_.counts();
    int low = 0, high = SignedHistogram::num_bins;
    for (int64_t below = counts.front(); below <= of_tail; below += counts[static_cast<size_t>(low)]) ++low;
    for (int64_t above = counts.back(); above <= of_tail; above += counts[static_cast<size_t>(high - 1)]) --high;
    open_low_ = static_cast<float>(values_.edge(low));
    open_high_ = static_cast<float>(values_.edge(high));
}

/// The bins between the tails get the values that were not counted, shared out as those that were.
void ActivationSketcher::close_the_middle(ActivationSketch& sketch) const {
    sketch.values = values_;
    if (counts_all()) return;
    sketch.open_low = open_low_;
    sketch.open_high = open_high_;
    std::vector<int64_t> counts = values_.counts();
    const double width = values_.bin_width();
    const auto first = static_cast<size_t>(std::floor(open_low_ / width) + SignedHistogram::num_bins / 2);
    const auto end = static_cast<size_t>(std::ceil(open_high_ / width) + SignedHistogram::num_bins / 2);
    const int64_t missing = num_values_ - values_.total();
    const auto counted = std::accumulate(counts.begin() + static_cast<std::ptrdiff_t>(first), counts.begin() + static_cast<std::ptrdiff_t>(end), int64_t{0});
    int64_t left = missing;
    for (size_t bin = first; bin < end && counted > 0; ++bin) {
        const auto share = static_cast<int64_t>(static_cast<double>(missing) * (static_cast<double>(counts[bin]) / static_cast<double>(counted)));
        counts[bin] += std::min(share, left);
        left -= std::min(share, left);
    }
    *std::max_element(counts.begin() + static_cast<std::ptrdiff_t>(first), counts.begin() + static_cast<std::ptrdiff_t>(end)) += left;
    sketch.values = SignedHistogram(values_.exponent(), std::move(counts));
}

ActivationSketch ActivationSketcher::finish() {
    const at::NoGradGuard no_grad;
    ActivationSketch sketch;
    sketch.by_expert = by_expert_;
    sketch.dtype = dtype_;
    sketch.sample_stride = sample_stride_;
    close_the_middle(sketch);
    const auto as_tensor = [](std::vector<Range>& ranges) {
        return at::from_blob(ranges.data(), {static_cast<int64_t>(ranges.size()), 2}, at::kFloat).clone();
    };
    sketch.ranges = as_tensor(ranges_);
    if (by_expert_) sketch.ranges = at::stack({sketch.ranges.select(1, 0).min(), sketch.ranges.select(1, 1).max()}).unsqueeze(0);
    if (samples_.empty()) return sketch;
    const at::Tensor calls = as_tensor(ranges_of_samples_);
    const at::Tensor sample = at::cat(std::exchange(samples_, {}), 0).to(at::kFloat).contiguous();
    sketch.num_sampled = sample.size(0);
    sketch.num_channels = sample.size(1);
    sketch.sampled_energy = sample.square().sum(at::kDouble).item<double>();
    sketch.sampled_largest = sample.abs().max().item<double>();
    sort_into_cells(sample, calls, sketch);
    measure(sample, sketch);
    return sketch;
}

void ActivationSketcher::sort_into_cells(const at::Tensor& sample, const at::Tensor& calls, ActivationSketch& sketch) const {
    const Ranges of_calls{calls.select(1, 0).unsqueeze(1), calls.select(1, 1).unsqueeze(1)};
    const bool has_groups = sample.size(1) % least_group == 0;
    const Ranges of_groups = ranges_of(sample, has_groups ? least_group : sample.size(1));
    const auto ranges_for = [&](const ScaleShare& share) -> Ranges {
        if (share.kind == ScaleShare::Kind::Call || (share.kind == ScaleShare::Kind::Token && by_expert_)) return of_calls;
        return merged(of_groups, share.kind == ScaleShare::Kind::Token ? of_groups.min.size(1) : share.group_size / least_group);
    };
    std::vector<ScaleShare> shares;
    for (const ScaleShare& share : sketched_shares())
        if (share.kind != ScaleShare::Kind::Group || sample.size(1) % share.group_size == 0) shares.push_back(share);
    std::vector<at::Tensor> sorted(shares.size());
    const auto count = static_cast<int64_t>(shares.size());
    parallel_for(count + 1, 1, [&](int64_t begin, int64_t end) {
        const at::NoGradGuard no_grad;
        for (int64_t i = begin; i < end; ++i) {
            if (i == count) {
                sketch.static_cells = sort_static(sample, sketch.sampled_largest);
            } else {
                const ScaleShare& share = shares[static_cast<size_t>(i)];
                sorted[static_cast<size_t>(i)] = sort_shares(sample, ranges_for(share), share.symmetric);
            }
        }
    });
    for (size_t i = 0; i < shares.size(); ++i) sketch.cells[shares[i].name()] = sorted[i];
}

/// Formats that round their scales on the way, which no cell can foretell, are tried on the sample itself.
void ActivationSketcher::measure(const at::Tensor& sample, ActivationSketch& sketch) const {
    const at::Tensor values = sample.to(dtype_);
    const auto noise = [&](int bits, Strategy strategy, int64_t group_size, DType scale_dtype, const at::Tensor& global_scale) {
        QuantizationArgs args;
        args.num_bits = bits;
        args.type = QuantizationType::Float;
        args.strategy = strategy;
        args.group_size = group_size;
        args.scale_dtype = args.zp_dtype = scale_dtype;
        args.dynamic = global_scale.defined() ? Dynamic::Local : Dynamic::Yes;
        const at::Tensor rounded = make_activation_quantizer(args, {{}, {}, global_scale})(values);
        return (sample - rounded.to(at::kFloat)).square_().sum(at::kDouble).item<double>();
    };
    if (sample.size(1) % 32 == 0)
        for (const int bits : {4, 8}) sketch.measured[concat("mxfp", bits)] = noise(bits, Strategy::Group, 32, DType::UInt8, {});
    if (sample.size(1) % 16 != 0 || by_expert_) return;  // each expert has a global scale of its own
    const auto nvfp4 = [&](const char* observer, const at::Tensor& ranges) {
        const at::Tensor largest = ranges.abs().max().to(dtype_).view({1});
        sketch.measured[concat("nvfp4_", observer)] = noise(4, Strategy::TensorGroup, 16, DType::Float8E4M3, generate_gparam(largest.neg(), largest));
    };
    nvfp4("static_minmax", sketch.ranges);
    nvfp4("memoryless_minmax", sketch.ranges.slice(0, -1));
}

}  // namespace calibench
