#include "core/analysis/module_badness.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "core/base/text.h"

namespace calibench {
namespace {

constexpr size_t enough_peers = 3;
constexpr double worth_a_word = 3;           ///< dB; less is called no worse
constexpr double group_share = 0.5;          ///< what a dB in a single group counts
constexpr double float_input_share = 0.5;    ///< what a dB of outliers in inputs counts that stay as they are
constexpr double constant_module = 60;       ///< dB, where all rows are constant
constexpr double striking_scale = 30;        ///< times the median

double bounded(double decibels) { return std::clamp(decibels, -most_badness, most_badness); }
double decibels_of_ratio(double ratio) { return bounded(20 * std::log10(std::max(ratio, 1e-10))); }

/// "1000" or "3.4": as exact as a sentence needs.
std::string rounded(double value) {
    if (std::abs(value) >= 10) return concat(std::llround(value));
    return concat(static_cast<double>(std::llround(value * 10)) / 10);
}
std::string count_of(int64_t count, const char* thing) { return concat(count, " ", thing, count == 1 ? "" : "s"); }

/// "model.layers.*.mlp.experts.*.up_proj"
std::string without_numbers(const std::string& name) {
    std::string kind;
    for (size_t i = 0; i < name.size(); ++i) {
        const bool begins_part = i == 0 || name[i - 1] == '.';
        size_t end = i;
        while (begins_part && end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) ++end;
        if (end > i && (end == name.size() || name[end] == '.')) {
            kind += '*';
            i = end - 1;
        } else {
            kind += name[i];
        }
    }
    return kind;
}

/// One number of a module that says how good it is, in dB; unset where it is not known.
using Quality = std::optional<double> (*)(const ModuleOverview&);

std::optional<double> weight_sqnr(const ModuleOverview& module) { return bounded(module.weight.sqnr_db); }
std::optional<double> worst_group_sqnr(const ModuleOverview& module) { return bounded(module.weight.worst_group_sqnr_db); }
std::optional<double> input_calm(const ModuleOverview& module) {
    if (!module.input || !(module.input->outlier_ratio > 0)) return {};
    return -decibels_of_ratio(module.input->outlier_ratio);
}
std::optional<double> input_sqnr(const ModuleOverview& module) {
    if (!module.input_answer) return {};
    return bounded(module.input_answer->sqnr_db);
}
std::optional<double> local_sqnr(const ModuleOverview& module) {
    if (!module.output) return {};
    return bounded(module.output->local_sqnr_db);
}

struct Judgement {
    double badness = 0;
    std::string reason;
};

/// A module and those it is held against.
class Peers {
public:
    Peers(const ModuleOverview& module, const std::vector<const ModuleOverview*>& peers) : module_(module), peers_(peers) {}

    [[nodiscard]] std::optional<double> median(Quality quality) const {
        std::vector<double> known;
        for (const ModuleOverview* peer : peers_)
            if (const auto value = quality(*peer)) known.push_back(*value);
        if (known.empty()) return {};
        const auto middle = known.begin() + static_cast<long>(known.size() / 2);
        std::nth_element(known.begin(), middle, known.end());
        return *middle;
    }
    /// By how many dB the module is worse than the median; 0 where nothing is known.
    [[nodiscard]] double deficit(Quality quality) const {
        const auto own = quality(module_);
        const auto usual = own ? median(quality) : std::nullopt;
        return usual ? *usual - *own : 0;
    }

private:
    const ModuleOverview& module_;
    const std::vector<const ModuleOverview*>& peers_;
};

bool has_striking_scale(const WeightFacts& weight) {
    return weight.median_scale > 0 && weight.largest_scale > striking_scale * weight.median_scale;
}

std::string scale_sentence(const WeightFacts& weight) {
    return concat("the largest of its ", count_of(weight.num_groups, "scale"), " is ", rounded(weight.largest_scale / weight.median_scale), " times their median");
}

std::vector<Judgement> judgements(const ModuleOverview& module, const Peers& peers) {
    const WeightFacts& weight = module.weight;
    std::vector<Judgement> all;
    const auto compared = [&](Quality quality) {
        return concat(" (", rounded(*quality(module)), " dB, usually ", rounded(*peers.median(quality)), ")");
    };

    const double weight_deficit = peers.deficit(weight_sqnr);
    std::string reason = concat("its weight loses ", rounded(weight_deficit), " dB more than its peers'", compared(weight_sqnr));
    if (has_striking_scale(weight)) reason = scale_sentence(weight);
    else if (weight.clipped_share > 0.01) reason += concat("; ", rounded(100 * weight.clipped_share), " % of its values are clipped");
    all.push_back({weight_deficit, reason});

    const double group_deficit = peers.deficit(worst_group_sqnr);
    reason = concat("its worst group of ", count_of(weight.group_rows * weight.group_columns, "value"), " loses ", rounded(group_deficit),
                    " dB more than those of its peers", compared(worst_group_sqnr));
    all.push_back({group_share * group_deficit, has_striking_scale(weight) ? scale_sentence(weight) : reason});

    if (weight.num_constant_rows > 0) {
        const bool everything = weight.num_constant_rows == weight.rows;
        all.push_back({constant_module * static_cast<double>(weight.num_constant_rows) / static_cast<double>(weight.rows),
                       concat(everything ? concat("all ", weight.rows) : concat(weight.num_constant_rows, " of ", weight.rows),
                              " rows quantize to a constant, though their values differ")});
    }
    if (weight.min == weight.max) all.push_back({constant_module, concat("all values of its weight are ", weight.min)});
    if (weight.num_not_finite > 0) all.push_back({most_badness, concat(count_of(weight.num_not_finite, "value"), " of its weight ", weight.num_not_finite == 1 ? "is" : "are", " NaN or infinite")});

    if (input_calm(module)) {
        const double calm = peers.deficit(input_calm);
        all.push_back({calm * (module.input_answer ? 1 : float_input_share),
                       concat("one of its ", count_of(module.input->num_channels, "input channel"), " is ", rounded(module.input->outlier_ratio),
                              " times as large as their median, where ", rounded(std::pow(10, -*peers.median(input_calm) / 20)), " times is usual")});
    }
    if (input_sqnr(module)) {
        const double deficit = peers.deficit(input_sqnr);
        all.push_back({deficit, concat("its quantized inputs lose ", rounded(deficit), " dB more than its peers'", compared(input_sqnr))});
    }
    if (local_sqnr(module)) {
        const double deficit = peers.deficit(local_sqnr);
        all.push_back({deficit, concat("its rounding costs its output ", rounded(deficit), " dB more than its peers'", compared(local_sqnr))});
    }
    return all;
}

}  // namespace

void judge_modules(std::span<ModuleOverview> modules) {
    std::map<std::string, std::vector<const ModuleOverview*>> by_kind, by_scheme;
    const auto kind_of = [](const ModuleOverview& module) { return concat(without_numbers(module.weight.module), " ", module.weight.scheme); };
    for (const ModuleOverview& module : modules) {
        if (!module.problem.empty()) continue;
        by_kind[kind_of(module)].push_back(&module);
        by_scheme[module.weight.scheme].push_back(&module);
    }
    for (ModuleOverview& module : modules) {
        if (!module.problem.empty()) {
            module.reason = module.problem;
            continue;
        }
        const auto& kin = by_kind[kind_of(module)];
        const auto& peers = kin.size() >= enough_peers ? kin : by_scheme[module.weight.scheme];
        const std::vector<Judgement> all = judgements(module, Peers(module, peers));
        const Judgement& worst = *std::max_element(all.begin(), all.end(), [](const Judgement& a, const Judgement& b) { return a.badness < b.badness; });
        module.badness = worst.badness;
        module.reason = worst.badness >= worth_a_word ? worst.reason : "no worse than its peers";
    }
}

}  // namespace calibench
