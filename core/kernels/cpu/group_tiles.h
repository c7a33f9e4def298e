#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace calibench {

/// How a flattened observation (num_observations, *qparam_shape, group_size) is cut for threads. A run is what one group sees
/// in one observation: consecutive values. The cut depends on shapes alone, so sums do not depend on the number of threads.
struct GroupGrid {
    explicit GroupGrid(const at::Tensor& flattened);

    int64_t observations, groups, size;
    int64_t total;
    int64_t observations_per_part;
    int64_t parts;  ///< how many partial results each group has, to be combined by the caller

    [[nodiscard]] int64_t offset(int64_t observation, int64_t group) const { return (observation * groups + group) * size; }
    /// A single group is cut into runs of its own, of which the last may be short.
    [[nodiscard]] int64_t run_size(int64_t observation) const { return std::min(size, total - observation * groups * size); }
};

/// Some groups through some observations, all of one part.
struct GroupTile {
    int64_t part;
    int64_t group_begin, group_end;
    int64_t observation_begin, observation_end;
};

/// Calls body for tiles that cover the grid, on several threads; no two tiles of one part share a group.
void for_each_tile(const GroupGrid& grid, const std::function<void(const GroupTile&)>& body);

}  // namespace calibench
