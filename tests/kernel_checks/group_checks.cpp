// What the observers ask for: ranges of groups, and the search for the range that quantizes best.

#include <limits>

#include "core/kernels/group_min_max.h"
#include "core/kernels/group_search.h"
#include "core/observers/flatten.h"
#include "core/observers/mse_quant.h"
#include "core/quantization/fake_quantize.h"
#include "tests/kernel_checks/checks.h"

namespace calibench::testing {

namespace {

/// A few values far out, as in real weights and activations.
at::Tensor heavy_tailed(at::IntArrayRef shape, uint64_t seed, const at::Device& device, at::ScalarType dtype) {
    const at::Tensor values = normal(shape, seed, at::kCPU);
    return (values * uniform(shape, seed + 1, at::kCPU, 0, 1).lt(0.02).to(at::kFloat).mul(6).add(1)).to(device, dtype);
}

double share_of_others(const at::Tensor& actual, const at::Tensor& expected) {
    return actual.ne(expected).logical_and(at::isnan(actual).logical_and(at::isnan(expected)).logical_not()).to(at::kDouble).mean().item<double>();
}

QuantizationArgs integers(int num_bits, bool symmetric, Strategy strategy, int64_t group_size = 0) {
    QuantizationArgs args;
    args.num_bits = num_bits;
    args.symmetric = symmetric;
    args.strategy = strategy;
    if (group_size > 0) args.group_size = group_size;
    return resolve_defaults(args);
}

QuantizationArgs floats(int num_bits, Strategy strategy, int64_t group_size = 0, std::optional<DType> scale_dtype = {}) {
    QuantizationArgs args = integers(num_bits, true, strategy, group_size);
    args.type = QuantizationType::Float;
    args.zp_dtype.reset();
    args.scale_dtype = scale_dtype;
    return resolve_defaults(args);
}

struct SearchCase {
    const char* format;
    QuantizationArgs args;
    const char* search;
    RangeSearch options;
    at::ScalarType dtype;
    bool weighted;
};

std::vector<SearchCase> search_cases() {
    const std::vector<std::pair<const char*, QuantizationArgs>> formats = {
        {"int4 groups", integers(4, true, Strategy::Group, 32)}, {"int4 asymmetric channels", integers(4, false, Strategy::Channel)},
        {"int8 asymmetric channels", integers(8, false, Strategy::Channel)}, {"int8 tensor", integers(8, true, Strategy::Tensor)},
        {"fp8 channels", floats(8, Strategy::Channel)}, {"nvfp4", floats(4, Strategy::TensorGroup, 16, DType::Float8E4M3)},
        {"mxfp4", floats(4, Strategy::Group, 32, DType::UInt8)}};
    const std::vector<std::pair<const char*, RangeSearch>> searches = {
        {"as llm-compressor has it", {}}, {"squares", {.maxshrink = 0.6, .patience = 3, .grid = 40, .norm = 2.0}},
        {"expanded, all steps", {.maxshrink = 0.5, .patience = 1000, .grid = 50, .expand = 1.7}}};
    std::vector<SearchCase> cases;
    for (const auto& [format, args] : formats)
        for (const auto& [name, search] : searches)
            for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf})
                for (const bool weighted : {false, true})
                    if (!weighted || args.strategy != Strategy::Tensor) cases.push_back({format, args, name, search, dtype, weighted});
    return cases;
}

/// The reference's loop (llmcompressor/observers/mse_quant.py and imatrix.py), step by step, with tensor operations.
class ReferenceSearch {
public:
    ReferenceSearch(const SearchCase& what, const at::Tensor& flattened, const at::Tensor& importance)
        : what_(what), x_(flattened), importance_(importance), error_dtype_(importance.defined() ? at::kFloat : flattened.scalar_type()) {
        if (what_.args.strategy == Strategy::TensorGroup) what_.args.scale_dtype.reset();
    }

    [[nodiscard]] at::Tensor errors_of(const MinMax& range) const {
        const auto [scale, zero_point] = calculate_qparams(range.min, range.max, what_.args);
        const at::Tensor quantized = quantize_and_back(scale.unsqueeze(-1), zero_point.unsqueeze(-1));
        at::Tensor error = (quantized.to(error_dtype_) - x_.to(error_dtype_)).abs().pow(what_.options.norm);
        if (importance_.defined()) error = error * importance_.expand({x_.numel() / importance_.numel(), importance_.numel()}).reshape_as(error);
        return error.sum(at::IntArrayRef{0, -1}).to(at::kFloat);
    }

    [[nodiscard]] MinMax best() const {
        const RangeSearch& search = what_.options;
        const MinMax whole{x_.amin({0, -1}) * search.expand, x_.amax({0, -1}) * search.expand};
        MinMax best = whole;
        at::Tensor least = at::full_like(whole.min, 1e30, at::kFloat);
        const int steps = what_.weighted ? std::max(1, int(search.maxshrink * search.grid)) + 1 : int(search.maxshrink * search.grid);
        double without_gain = 0;
        for (int step = 0; step < steps; ++step) {
            const double p = 1 - step / search.grid;
            const MinMax shrunken{whole.min * p, whole.max * p};
            const at::Tensor error = errors_of(shrunken), better = error < least;
            least = at::where(better, error, least);
            best = {at::where(better, shrunken.min, best.min), at::where(better, shrunken.max, best.max)};
            if (better.any().item<bool>()) without_gain = 0;
            else if (++without_gain >= search.patience) break;
        }
        return best;
    }

private:
    [[nodiscard]] at::Tensor quantize_and_back(const at::Tensor& scale, const at::Tensor& zero_point) const {
        if (what_.args.type == QuantizationType::Int) {
            const QuantizationRange levels = quantization_range(what_.args);
            const at::Tensor offset = zero_point.to(x_.scalar_type());
            return ((x_ / scale + offset).clamp(levels.min, levels.max).round() - offset) * scale;
        }
        QuantizationArgs elementwise = what_.args;
        elementwise.strategy = Strategy::Token;
        return fake_quantize(x_, {scale, zero_point, {}}, elementwise);
    }

    SearchCase what_;
    at::Tensor x_, importance_;
    at::ScalarType error_dtype_;
};

}  // namespace

std::vector<Comparison> group_ranges(const at::Device& device) {
    std::vector<Comparison> comparisons;
    const auto compare = [&](const std::string& what, const at::Tensor& x) {
        const auto [min, max] = group_min_max(x);
        comparisons.push_back({concat("min of ", what), share_of_others(min, x.amin({0, -1})), 0});
        comparisons.push_back({concat("max of ", what), share_of_others(max, x.amax({0, -1})), 0});
    };
    const std::vector<std::vector<int64_t>> shapes{{1, 40, 9, 32}, {1, 13, 5, 3}, {1, 300, 1, 577}, {1, 7, 1, 5000}, {1, 1, 100003},
                                                   {1031, 1, 97}, {2049, 3, 1, 1, 20}, {70, 5, 128}};
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
        for (const auto& shape : shapes) compare(describe(dtype, shape), heavy_tailed(shape, 1, device, dtype));
        compare(concat("strided ", name_of(dtype)), heavy_tailed({1, 64, 8, 33}, 10, device, dtype).transpose(1, 2));
        at::Tensor spoilt = heavy_tailed({3, 5, 37}, 1, device, dtype);
        spoilt[1][1][16] = std::numeric_limits<float>::quiet_NaN();
        spoilt[2][4][36] = std::numeric_limits<float>::infinity();
        compare(concat(name_of(dtype), " with NaN and infinity"), spoilt);
    }
    return comparisons;
}

std::vector<Comparison> group_searches(const at::Device& device) {
    std::vector<Comparison> comparisons;
    for (const SearchCase& of : search_cases()) {
        const at::Tensor weight = heavy_tailed({23, 96}, 21, device, of.dtype);
        const at::Tensor x = flatten_for_calibration(weight, "weight", of.args);
        const at::Tensor importance = of.weighted ? heavy_tailed({96}, 22, device, at::kFloat).abs() : at::Tensor();
        const MinMax found = of.weighted ? search_weighted_range(x, of.args, of.options, importance) : search_range(x, of.args, of.options);

        const ReferenceSearch reference(of, x, importance);
        const MinMax best = reference.best();
        const at::Tensor other = found.min.ne(best.min).logical_or(found.max.ne(best.max)).to(at::kDouble);
        // Powers and sums may differ in their last place: where two steps tie, either is right.
        const at::Tensor error = wide(reference.errors_of(found)), least = wide(reference.errors_of(best));
        const at::Tensor excess = ((error - least) / least.clamp_min(1e-30)).clamp_min(0) * other;
        const bool in_float32 = of.dtype == at::kFloat || of.weighted;
        const std::string what = concat(of.format, ", ", name_of(of.dtype), of.weighted ? ", weighted, " : ", ", of.search);
        comparisons.push_back({concat("excess error, ", what), excess.max().item<double>(), in_float32 ? 1e-5 : 1.0 / 64});
        comparisons.push_back({concat("other steps, ", what), other.mean().item<double>(), in_float32 ? 0.01 : 0.05});
    }
    // One large group is searched in parts, and so are activations.
    const SearchCase of{"int4", integers(4, true, Strategy::Channel), "", {.maxshrink = 0.5, .patience = 100, .grid = 50}, at::kFloat, false};
    for (const auto& shape : std::vector<std::vector<int64_t>>{{1, 1, 200001}, {2050, 1, 97}, {300, 5, 128}}) {
        const at::Tensor x = heavy_tailed(shape, 41, device, at::kFloat);
        const ReferenceSearch reference(of, x, {});
        const at::Tensor error = wide(reference.errors_of(search_range(x, of.args, of.options))), least = wide(reference.errors_of(reference.best()));
        comparisons.push_back({concat("excess error, int4 ", describe(at::kFloat, shape)), ((error - least) / least).max().item<double>(), 1e-5});
    }
    return comparisons;
}

}  // namespace calibench::testing
