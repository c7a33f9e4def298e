// What has loops on the CPU alone; elsewhere LibTorch's operations are used.

#include <cmath>
#include <limits>

#include "core/kernels/cpu/activation_tally.h"
#include "core/kernels/cpu/column_range.h"
#include "core/kernels/cpu/group_rounding.h"
#include "core/kernels/cpu/squared_error.h"
#include "tests/kernel_checks/checks.h"

namespace calibench::testing {

namespace {

double share_of_others(const at::Tensor& actual, const at::Tensor& expected) { return actual.ne(expected).to(at::kDouble).mean().item<double>(); }

struct Integers {
    IntegerLevels levels;
    bool symmetric;
};
constexpr std::array integers{Integers{{-8, 7}, true}, Integers{{-8, 7}, false}, Integers{{-2, 1}, true}, Integers{{-128, 127}, false}};

/// Ranges with the troubles of real ones: empty, one-sided.
std::pair<at::Tensor, at::Tensor> ranges(int64_t count, at::ScalarType dtype) {
    at::Tensor min = normal({count}, 1, at::kCPU, dtype), max = min + normal({count}, 2, at::kCPU, dtype).abs();
    if (count > 3) {
        min[0].zero_();
        max[0].zero_();
        min[1].fill_(0.5);
        max[1].fill_(2);
    }
    return {min, max};
}

/// With tensor operations, one after the other as compressed-tensors has them.
RunScales plain_scales(const at::Tensor& min, const at::Tensor& max, const Integers& format) {
    const at::Tensor low = min.clamp_max(0), high = max.clamp_min(0);
    const double range = double(format.levels.high) - double(format.levels.low);
    at::Tensor scale = format.symmetric ? at::maximum(-low, high) / at::scalar_tensor(range / 2, min.options()) : (high - low) / range;
    at::Tensor zero_point = at::zeros_like(scale);
    if (!format.symmetric) zero_point = (double(format.levels.low) - low / scale).clamp(format.levels.low, format.levels.high).nan_to_num(0).round();
    const double least = min.scalar_type() == at::kFloat ? std::ldexp(1, -23) : std::ldexp(1, -7);
    return {at::where(scale == 0, at::scalar_tensor(least, scale.options()), scale), zero_point.to(at::kChar)};
}

struct Runs {
    at::Tensor values, plain_levels, plain_values;
    RunScales scales;
};

/// A run a row, and what tensor operations make of it.
Runs runs_of(at::IntArrayRef shape, at::ScalarType dtype, const Integers& format) {
    Runs runs;
    runs.values = normal(shape, 3, at::kCPU, dtype);
    runs.scales = plain_scales(runs.values.amin(-1) * 0.8, runs.values.amax(-1) * 0.8, format);
    const at::Tensor scale = runs.scales.scale.unsqueeze(-1), zero_point = runs.scales.zero_point.to(dtype).unsqueeze(-1);
    runs.plain_levels = (runs.values / scale + zero_point).clamp(format.levels.low, format.levels.high).round();
    runs.plain_values = (runs.plain_levels - zero_point) * scale;
    return runs;
}

template <typename Body>
std::vector<Comparison> compare_runs(const at::Device& device, const Body& compare) {
    std::vector<Comparison> comparisons;
    if (!device.is_cpu()) return comparisons;
    for (const at::ScalarType dtype : both_dtypes)
        for (const Integers& format : integers)
            for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{1, 1}, {7, 3}, {60, 37}, {33, 128}, {3, 10007}}) {
                const std::string what = concat(describe(dtype, shape), ", levels ", format.levels.low, " to ", format.levels.high);
                comparisons.push_back({what, compare(runs_of(shape, dtype, format), format), 0});
            }
    return comparisons;
}

}  // namespace

std::vector<Comparison> scales_of_ranges(const at::Device& device) {
    std::vector<Comparison> comparisons;
    if (!device.is_cpu()) return comparisons;
    for (const at::ScalarType dtype : both_dtypes)
        for (const Integers& format : integers)
            for (const int64_t count : {1, 5, 32, 20011}) {
                const auto [min, max] = ranges(count, dtype);
                const RunScales found = calibench::scales_of_ranges(min, max, format.levels, format.symmetric), plain = plain_scales(min, max, format);
                const std::string what = concat(describe(dtype, {count}), ", levels ", format.levels.low, " to ", format.levels.high);
                comparisons.push_back({concat("scales of ", what), share_of_others(found.scale, plain.scale), 0});
                comparisons.push_back({concat("zero points of ", what), share_of_others(found.zero_point, plain.zero_point), 0});
            }
    return comparisons;
}

std::vector<Comparison> quantize_runs(const at::Device& device) {
    return compare_runs(device, [](const Runs& runs, const Integers& format) {
        return share_of_others(calibench::quantize_runs(runs.values, runs.scales, format.levels), runs.plain_levels.to(at::kChar));
    });
}

std::vector<Comparison> dequantize_runs(const at::Device& device) {
    return compare_runs(device, [](const Runs& runs, const Integers&) {
        return share_of_others(calibench::dequantize_runs(runs.plain_levels.to(at::kChar), runs.scales), runs.plain_values);
    });
}

std::vector<Comparison> fake_quantize_runs(const at::Device& device) {
    return compare_runs(device, [](const Runs& runs, const Integers& format) {
        return share_of_others(calibench::fake_quantize_runs(runs.values, runs.scales, format.levels), runs.plain_values);
    });
}

std::vector<Comparison> column_ranges(const at::Device& device) {
    std::vector<Comparison> comparisons;
    if (!device.is_cpu()) return comparisons;
    for (const at::ScalarType dtype : both_dtypes)
        for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{1, 1}, {37, 5}, {3, 1000}, {1030, 577}}) {
            const at::Tensor matrix = normal(shape, 4, device, dtype);
            const auto [min, max] = column_min_max(matrix);
            comparisons.push_back({concat("min of ", describe(dtype, shape)), share_of_others(min, matrix.amin(0).to(at::kFloat)), 0});
            comparisons.push_back({concat("max of ", describe(dtype, shape)), share_of_others(max, matrix.amax(0).to(at::kFloat)), 0});
        }
    return comparisons;
}

std::vector<Comparison> squared_errors(const at::Device& device) {
    std::vector<Comparison> comparisons;
    if (!device.is_cpu()) return comparisons;
    for (const at::ScalarType dtype : both_dtypes)
        for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{1, 1}, {5, 37}, {1030, 577}}) {
            const at::Tensor exact = normal(shape, 5, device, dtype), approximate = exact + normal(shape, 6, device, dtype, 0.1);
            const SquaredError found = squared_error(exact, approximate);
            const double signal = wide(exact).square().sum().item<double>(), noise = (wide(exact) - wide(approximate)).square().sum().item<double>();
            comparisons.push_back({concat("signal of ", describe(dtype, shape)), std::abs(found.signal - signal) / signal, sum_bound});
            comparisons.push_back({concat("noise of ", describe(dtype, shape)), std::abs(found.noise - noise) / noise, sum_bound});
        }
    return comparisons;
}

namespace {

template <typename T>
void compare_tallies(const at::Tensor& matrix, const std::string& what, std::vector<Comparison>& comparisons) {
    const int64_t rows = matrix.size(0), columns = matrix.size(1);
    const T* values = static_cast<const T*>(matrix.const_data_ptr());
    const at::Tensor largest = at::zeros({columns}), energy = at::zeros({columns});
    constexpr float infinity = std::numeric_limits<float>::infinity();
    ColumnTally tally{largest.mutable_data_ptr<float>(), energy.mutable_data_ptr<float>(), infinity, -infinity};
    tally_columns(values, rows, columns, tally);
    comparisons.push_back({concat("largest of ", what), share_of_others(largest, matrix.abs().amax(0).to(at::kFloat)), 0});
    comparisons.push_back({concat("energy of ", what), difference(energy, wide(matrix).square().sum(0)), sum_bound});
    comparisons.push_back({concat("range of ", what), share_of_others(at::tensor({tally.min, tally.max}), at::stack({matrix.min(), matrix.max()}).to(at::kFloat)), 0});

    constexpr float per_width = tally_bins / 4.0f;  // from -2 to 2: the outermost bins have work too
    const at::Tensor counts = at::zeros({tally_bins}, at::kLong);
    count_values(values, matrix.numel(), per_width, counts.mutable_data_ptr<int64_t>());
    const at::Tensor bins = (matrix.to(at::kFloat) * per_width).floor().to(at::kLong).add(tally_bins / 2).clamp(0, tally_bins - 1);
    comparisons.push_back({concat("bins of ", what), share_of_others(counts, at::bincount(bins.flatten(), {}, tally_bins)), 0});
}

}  // namespace

std::vector<Comparison> activation_tallies(const at::Device& device) {
    std::vector<Comparison> comparisons;
    if (!device.is_cpu()) return comparisons;
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{1, 1}, {5, 37}, {300, 577}}) {
        compare_tallies<float>(normal(shape, 7, device), describe(at::kFloat, shape), comparisons);
        compare_tallies<uint16_t>(normal(shape, 7, device, at::kBFloat16), describe(at::kBFloat16, shape), comparisons);
    }
    return comparisons;
}

}  // namespace calibench::testing
