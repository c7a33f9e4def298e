#include "ui/overview/metric.h"

#include <QCoreApplication>

#include <cmath>

#include "ui/format.h"

namespace calibench {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("Metric", text); }

using Module = ModuleOverview;
using Value = std::optional<double>;

/// Of the weight, which is unknown where there is a problem.
template <double WeightFacts::*Field>
Value ofWeight(const Module& module) {
    return module.problem.empty() ? Value(module.weight.*Field) : std::nullopt;
}

}  // namespace

std::optional<double> Metric::shown(const ModuleOverview& module) const {
    const Value raw = value(module);
    return raw && !std::isnan(*raw) ? Value(factor * *raw) : std::nullopt;
}

QString Metric::text(double shown) const { return unit.isEmpty() ? formatNumber(shown) : QStringLiteral("%1 %2").arg(formatNumber(shown), unit); }

const std::vector<Metric>& metrics() {
    static const std::vector<Metric> all{
        {.name = tr("Badness"), .unit = tr("dB"), .help = tr("By how much the module is worse than its peers, the same projection in other blocks, where it is so most"),
         .value = [](const Module& m) { return Value(m.badness); }},
        {.name = tr("SQNR"), .unit = tr("dB"), .help = tr("Signal to quantization noise ratio of the weight"), .lowIsBad = true, .value = ofWeight<&WeightFacts::sqnr_db>},
        {.name = tr("Worst group"), .unit = tr("dB"), .help = tr("SQNR of the group of weights that loses most"), .lowIsBad = true, .value = ofWeight<&WeightFacts::worst_group_sqnr_db>},
        {.name = tr("Output"), .unit = tr("dB"), .help = tr("SQNR of the module's output, measured by the run: its own rounding and what it inherits"), .lowIsBad = true,
         .value = [](const Module& m) { return m.output ? Value(m.output->output_sqnr_db) : std::nullopt; }},
        {.name = tr("Range use"), .unit = QStringLiteral("%"), .help = tr("How much of its levels a group takes, on average"), .lowIsBad = true, .factor = 100,
         .value = ofWeight<&WeightFacts::range_use>},
        {.name = tr("Clipped"), .unit = QStringLiteral("%"), .help = tr("Weights that lie more than half a step outside of their grid"), .factor = 100,
         .value = ofWeight<&WeightFacts::clipped_share>},
        {.name = tr("Outliers"), .unit = QStringLiteral("×"), .help = tr("Largest magnitude of a group against its root mean square; the largest of all groups"),
         .value = ofWeight<&WeightFacts::outlier_ratio>},
        {.name = tr("Inputs"), .unit = tr("dB"), .help = tr("SQNR of the quantized inputs, from the run's sketch of them"), .lowIsBad = true,
         .value = [](const Module& m) { return m.input_answer ? Value(m.input_answer->sqnr_db) : std::nullopt; }},
        {.name = tr("Input outliers"), .unit = QStringLiteral("×"), .help = tr("The largest input channel's largest magnitude against the median channel's"),
         .value = [](const Module& m) { return m.input ? Value(m.input->outlier_ratio) : std::nullopt; }},
    };
    return all;
}

const Metric& metricOf(MetricKind kind) { return metrics()[static_cast<size_t>(kind)]; }

}  // namespace calibench
