#include "core/kernels/group_min_max.h"

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/group_lanes.h"
#include "core/kernels/cpu/group_tiles.h"

namespace calibench::cpu {

template <typename T>
using RangeFunction = void (*)(const T* x, int64_t runs, int64_t size, bool extend, T* min, T* max);

template <typename T>
static void find_ranges(const at::Tensor& values, const GroupGrid& grid, RangeFunction<T> range, at::Tensor& min, at::Tensor& max) {
    const T* const x = static_cast<const T*>(values.const_data_ptr());
    T* const mins = static_cast<T*>(min.data_ptr());
    T* const maxs = static_cast<T*>(max.data_ptr());
    for_each_tile(grid, [&](const GroupTile& tile) {
        const int64_t first = tile.part * grid.groups + tile.group_begin;
        for (int64_t observation = tile.observation_begin; observation < tile.observation_end; ++observation)
            range(x + grid.offset(observation, tile.group_begin), tile.group_end - tile.group_begin, grid.run_size(observation),
                  observation != tile.observation_begin, mins + first, maxs + first);
    });
}

std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x) {
    const GroupGrid grid(x);
    at::Tensor min = at::empty({grid.parts, grid.groups}, x.options());
    at::Tensor max = at::empty({grid.parts, grid.groups}, x.options());
    if (x.scalar_type() == at::kFloat)
        find_ranges<float>(x, grid, group_lanes().range_f32, min, max);
    else
        find_ranges<BFloat16Bits>(x, grid, group_lanes().range_bf16, min, max);
    if (grid.parts > 1) {
        min = min.amin(0);
        max = max.amax(0);
    }
    const auto shape = x.sizes().slice(1, size_t(x.dim() - 2));
    return {min.view(shape), max.view(shape)};
}

}  // namespace calibench::cpu
