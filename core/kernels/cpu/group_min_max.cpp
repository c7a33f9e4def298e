#include "core/kernels/cpu/group_min_max.h"

#include <limits>

#include <ATen/ATen.h>

#include "core/kernels/cpu/group_lanes.h"
#include "core/kernels/cpu/group_tiles.h"

namespace calibench {

template <typename T>
static void extend_ranges(const T* x, const GroupGrid& grid, const GroupTile& tile,
                          void (*range)(const T*, int64_t, int64_t, float*, float*), float* min, float* max) {
    for (int64_t observation = tile.observation_begin; observation < tile.observation_end; ++observation) {
        const T* runs = x + grid.offset(observation, tile.group_begin);
        const int64_t first = tile.part * grid.groups + tile.group_begin;
        range(runs, tile.group_end - tile.group_begin, grid.run_size(observation), min + first, max + first);
    }
}

std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x) {
    const bool has_kernel = x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
    if (!has_kernel || x.numel() == 0) return {x.amin({0, -1}), x.amax({0, -1})};

    const at::Tensor values = x.contiguous();
    const GroupGrid grid(values);
    at::Tensor min = at::full({grid.parts, grid.groups}, std::numeric_limits<float>::infinity(), at::kFloat);
    at::Tensor max = at::full({grid.parts, grid.groups}, -std::numeric_limits<float>::infinity(), at::kFloat);
    float* const mins = min.data_ptr<float>();
    float* const maxs = max.data_ptr<float>();
    const void* const data = values.const_data_ptr();
    const bool is_float = x.scalar_type() == at::kFloat;
    for_each_tile(grid, [&](const GroupTile& tile) {
        const GroupLanes& lanes = group_lanes();
        if (is_float)
            extend_ranges(static_cast<const float*>(data), grid, tile, lanes.range_f32, mins, maxs);
        else
            extend_ranges(static_cast<const BFloat16Bits*>(data), grid, tile, lanes.range_bf16, mins, maxs);
    });
    if (grid.parts > 1) {
        min = min.amin(0);
        max = max.amax(0);
    }
    const auto shape = x.sizes().slice(1, size_t(x.dim() - 2));
    return {min.to(x.scalar_type()).view(shape), max.to(x.scalar_type()).view(shape)};
}

}  // namespace calibench
