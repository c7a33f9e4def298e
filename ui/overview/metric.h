#pragma once

#include <QString>

#include <optional>
#include <vector>

#include "core/analysis/overview.h"

namespace calibench {

/// One number of a module, as a column of the table, a colour of the map and something to filter by.
struct Metric {
    QString name, unit, help;
    bool lowIsBad = false;
    double factor = 1;  ///< shares are shown in percent
    std::optional<double> (*value)(const ModuleOverview&) = nullptr;  ///< as the core has it

    [[nodiscard]] std::optional<double> shown(const ModuleOverview& module) const;
    [[nodiscard]] QString text(double shown) const;   ///< with its unit
    [[nodiscard]] bool worse(double a, double b) const { return lowIsBad ? a < b : a > b; }
};

enum class MetricKind { Badness, Sqnr, WorstGroup, OutputSqnr, RangeUse, Clipped, Outliers, InputSqnr, InputOutliers };

/// In the order of MetricKind.
[[nodiscard]] const std::vector<Metric>& metrics();
[[nodiscard]] const Metric& metricOf(MetricKind kind);

}  // namespace calibench
