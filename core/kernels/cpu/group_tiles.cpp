#include "core/kernels/cpu/group_tiles.h"

#include "core/kernels/cpu/parallel.h"

namespace calibench {

static constexpr int64_t values_per_tile = 1 << 15;  // enough to be worth a thread, few enough to stay in its cache

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

GroupGrid::GroupGrid(const at::Tensor& flattened)
    : observations(flattened.size(0)), size(flattened.size(-1)), total(flattened.numel()) {
    groups = total / (observations * size);
    if (groups == 1) {
        size = std::min(total, values_per_tile);
        observations = divide_up(total, size);
    }
    const bool enough_groups = groups * size >= 2 * values_per_tile;
    observations_per_part =
        enough_groups ? observations : std::clamp<int64_t>(values_per_tile / (groups * size), 1, observations);
    parts = divide_up(observations, observations_per_part);
}

void for_each_tile(const GroupGrid& grid, const std::function<void(const GroupTile&)>& body) {
    if (grid.parts == 1) {
        const int64_t grain = std::max<int64_t>(1, values_per_tile / (grid.size * grid.observations));
        parallel_for(grid.groups, grain,
                     [&](int64_t begin, int64_t end) { body({0, begin, end, 0, grid.observations}); });
        return;
    }
    parallel_for(grid.parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
            const int64_t first = part * grid.observations_per_part;
            body({part, 0, grid.groups, first, std::min(first + grid.observations_per_part, grid.observations)});
        }
    });
}

}  // namespace calibench
