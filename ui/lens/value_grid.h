#pragma once

#include <QString>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/analysis/input_inspection.h"
#include "core/analysis/weight_inspection.h"

namespace calibench {

/// What values a quantized tensor can hold, or a part of it that shares one scale.
struct ValueGrid {
    double low = 0, high = 0;    ///< half a step beyond the lowest and the highest level: what lies outside is clipped
    std::vector<double> levels;  ///< ascending; empty where there are too many, or not the same ones everywhere
    QString name;
};

/// Of the group that this weight belongs to. Nothing beyond 8 bits.
[[nodiscard]] std::optional<ValueGrid> groupGrid(const WeightInspection& weight, int64_t row, int64_t column);
/// From the lowest to the highest level of any group: with its levels when there is one group only.
[[nodiscard]] std::optional<ValueGrid> reachOfAllGroups(const WeightInspection& weight);
/// Of inputs that share one stored scale; nothing where each token or group has its own.
[[nodiscard]] std::optional<ValueGrid> inputGrid(const QuantizationArgs& args, const InputAnswer& answer);

/// A histogram with what is drawn over it. The last grid is the one whose clipped parts are shaded.
struct ValueDistribution {
    ValueHistogram histogram;
    QString what;  ///< the axis's label: "Weights of the whole module"
    std::vector<ValueGrid> grids;
};

}  // namespace calibench
