#pragma once

#include <optional>

#include "core/analysis/weight_rows.h"

namespace calibench {

struct ValueInterval {
    double low = 0, high = 0;
};

/// Of the values of `part`, over `range` where it is known to hold them all, else over their smallest to their largest.
[[nodiscard]] ValueHistogram make_histogram(const WeightRows& weight, WeightLayer layer, const Extent& part, int bins, std::optional<ValueInterval> range = {});

}  // namespace calibench
