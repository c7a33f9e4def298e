#pragma once

#include <string>
#include <vector>

#include "core/analysis/weight_rows.h"

namespace calibench {

/// All that one pass over a weight tells. Its sums do not depend on the number of threads.
struct WeightMeasurement {
    struct Channel {
        double weight_energy = 0, error_energy = 0;  ///< sums of squares
        float max_abs_error = 0;
    };

    WeightFacts facts;  ///< without the module's name
    double error_energy = 0;
    float low_quantized = 0, high_quantized = 0;
    float low_error = 0, high_error = 0;
    std::vector<Channel> rows, columns;
};

/// `error_map`: an empty coarse map of the errors (weight_map.h) to be filled in by the way. Where that cannot be its values are taken away.
[[nodiscard]] WeightMeasurement measure_weight(const WeightRows& rows, MapTile* error_map = nullptr);

/// 10 log10(signal / noise); infinity where nothing is lost.
[[nodiscard]] double decibels(double signal, double noise);

}  // namespace calibench
