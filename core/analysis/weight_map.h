#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "core/analysis/weight_rows.h"

namespace calibench {

/// Maps of a weight from any distance. What is seen from far comes out of a coarse map, made on the first need and a sixteenth of the
/// weight in size; single values, and cells smaller than the coarse map's, out of the weight itself.
class WeightMap {
public:
    explicit WeightMap(const WeightRows& rows) : rows_(rows) {}

    /// See WeightInspection::map. Any thread.
    [[nodiscard]] MapTile tile(WeightLayer layer, const Extent& part, int64_t max_rows, int64_t max_columns) const;

    /// A coarse map to be filled in, and to be kept by who makes one along with something else.
    [[nodiscard]] static MapTile empty_coarse_map(const Extent& whole);
    void keep_coarse_map(WeightLayer layer, MapTile tile);

private:
    struct CoarseMap {
        std::once_flag made;
        MapTile tile;
    };

    [[nodiscard]] const MapTile& coarse(WeightLayer layer) const;
    void fill_from_values(WeightLayer layer, MapTile& tile) const;
    static void fill_from_coarse(const MapTile& coarse, MapTile& tile);

    const WeightRows& rows_;
    mutable std::array<CoarseMap, 4> coarse_;
};

}  // namespace calibench
