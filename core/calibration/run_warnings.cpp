#include "core/calibration/run_warnings.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "core/base/text.h"
#include "core/kernels/cpu/column_range.h"
#include "core/models/module_plan.h"

namespace calibench {
namespace {

/// The part of a range that the 0.2 % of all values beyond its percentiles may take.
constexpr double most_range_of_outliers = 0.9;
/// One column in a hundred, and one at least, are "a few"; the part of the range that they may take.
constexpr int64_t columns_per_outlier = 100;
constexpr double most_range_of_columns = 0.4;
/// An expert with less than this part of its block's mean knows too little.
constexpr double fewest_tokens = 0.1;
/// A shorter tuning tells nothing.
constexpr int64_t fewest_iterations = 20;
/// Tuning that gains less has not improved on rounding to nearest.
constexpr double least_gain = 0.01;
/// A best iterate in this part of the tuning is early, and a rate of so many times 1 / iters is high.
constexpr double early_part = 0.25;
constexpr double high_rate = 1.5;

std::string percent(double share) {
    return concat(std::lround(100 * share), " %");
}

}  // namespace

void RunWarnings::see_weight(int64_t block, const std::string& module, const at::Tensor& weight) {
    const auto [min, max] = column_min_max(weight);
    const at::Tensor reach = at::maximum(max, min.neg());
    const int64_t few = std::max<int64_t>(1, reach.numel() / columns_per_outlier);
    if (reach.numel() <= few) return;
    const at::Tensor largest = std::get<0>(reach.topk(few + 1));
    const double widest = largest[0].item<double>();
    const double share = widest > 0 ? 1 - largest[few].item<double>() / widest : 0;
    if (share >= most_range_of_columns) findings_[{block, Trouble::WeightColumns}].push_back({module, share});
}

void RunWarnings::see_inputs(int64_t block, const std::string& module, const ValueRange& range, bool quantized) {
    if (!std::isfinite(range.min) || !std::isfinite(range.max)) {
        findings_[{block, Trouble::InputsNotFinite}].push_back({module});
        return;
    }
    const double share = range.max > range.min ? 1 - (range.p999 - range.p001) / (range.max - range.min) : 0;
    if (quantized && share >= most_range_of_outliers) findings_[{block, Trouble::InputOutliers}].push_back({module, share});
}

void RunWarnings::see_static_range(int64_t block, const std::string& module, const ValueRange& passed, const ValueRange& covered) {
    if (passed.p001 >= covered.min && passed.p999 <= covered.max) return;
    const double share = std::max(passed.p999 - covered.max, covered.min - passed.p001) / (passed.max - passed.min);
    findings_[{block, Trouble::InputsClipped}].push_back({module, share});
}

void RunWarnings::see_tokens(const std::string& module, int64_t expert, int64_t tokens) {
    const auto end = module.rfind(concat(".", expert, "."));  // a block may have the same number
    int64_t& most = expert_tokens_[module.substr(0, end)][expert];
    most = std::max(most, tokens);
}

void RunWarnings::see_tuning(const TuningCourse& course) {
    if (course.iters < fewest_iterations) return;
    const auto iters = static_cast<double>(course.iters);
    if (course.best_loss_mse > (1 - least_gain) * course.initial_loss_mse) {
        say(course.block, Trouble::NoGain,
            concat(course.block, ": ", course.iters, " iterations found nothing better than rounding to nearest. Try lr ", course.lr / 2,
                   " instead of ", course.lr, ", or more iterations."));
    } else if (static_cast<double>(course.best_iteration) < early_part * iters && course.lr > high_rate / iters) {
        say(course.block, Trouble::NoGain,
            concat(course.block, ": nothing better was found after iteration ", course.best_iteration, " of ", course.iters, " at lr ",
                   course.lr, ". Try lr ", 1 / iters, ", or fewer iterations."));
    }
}

void RunWarnings::see_outputs_not_finite(const std::string& block) {
    say(block, Trouble::OutputsNotFinite,
        concat(block, ": the quantized block gives NaN or infinite outputs. Give its modules more bits, or run with --dtype float32."));
}

std::vector<Warning> RunWarnings::take() {
    for (const auto& [where, findings] : findings_) say_together(where.first, where.second, findings);
    findings_.clear();
    for (const auto& [experts, tokens] : expert_tokens_) say_starved(experts, tokens);
    expert_tokens_.clear();
    return std::exchange(warnings_, {});
}

void RunWarnings::say_together(int64_t block, Trouble trouble, const std::vector<Finding>& findings) {
    std::vector<std::string> names;
    double share = 0;
    for (const Finding& finding : findings) {
        names.push_back(finding.module);
        share = std::max(share, finding.share);
    }
    const std::string who = list_names(names, 3);
    const std::string module = names.size() == 1 ? names.front() : block_name(block);
    switch (trouble) {
        case Trouble::WeightColumns:
            return say(module, trouble, concat(who, ": a few input channels take up to ", percent(share),
                                               " of the weight's range. Use smaller groups or more bits there."));
        case Trouble::InputOutliers:
            return say(module, trouble, concat(who, ": 0.2 % of the input values take up to ", percent(share),
                                               " of the range, so the others share few levels. Scale these inputs per token, or leave them unquantized."));
        case Trouble::InputsClipped:
            return say(module, trouble, concat(who, ": more than 0.1 % of the input values lie beyond the static scale, by up to ", percent(share),
                                               " of their range. Use the observer static_minmax, or dynamic scales."));
        case Trouble::InputsNotFinite:
            return say(module, trouble, concat(who, ": NaN or infinite values came in. Run with --dtype float32, or leave these modules unquantized."));
        default: return;
    }
}

void RunWarnings::say_starved(const std::string& experts, const std::map<int64_t, int64_t>& tokens) {
    double mean = 0;
    for (const auto& [expert, count] : tokens) mean += static_cast<double>(count) / static_cast<double>(tokens.size());
    std::vector<std::string> starved;
    for (const auto& [expert, count] : tokens)
        if (static_cast<double>(count) < fewest_tokens * mean) starved.push_back(std::to_string(expert));
    if (starved.empty()) return;
    say(experts, Trouble::StarvedExperts,
        concat(experts, ": ", starved.size() == 1 ? "expert " : "experts ", list_names(starved, 8), " got less than ", percent(fewest_tokens),
               " of the ", std::llround(mean), " tokens that an expert gets on average. Calibrate with more samples, or longer ones."));
}

void RunWarnings::say(const std::string& module, Trouble trouble, std::string message) {
    if (said_.emplace(module, trouble).second) warnings_.push_back({module, std::move(message), kind_of(trouble)});
}

Warning::Kind RunWarnings::kind_of(Trouble trouble) {
    switch (trouble) {
        case Trouble::InputsNotFinite:
        case Trouble::OutputsNotFinite: return Warning::Kind::NotFinite;
        case Trouble::NoGain: return Warning::Kind::Plateau;
        case Trouble::InputsClipped: return Warning::Kind::ClippedRange;
        case Trouble::StarvedExperts: return Warning::Kind::StarvedExpert;
        default: return Warning::Kind::Outliers;
    }
}

}  // namespace calibench
