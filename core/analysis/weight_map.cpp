#include "core/analysis/weight_map.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/analysis/picture_loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench {
namespace {

constexpr int64_t values_per_task = 1 << 16;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The one of larger magnitude, of equal ones the positive; NaN where there was none.
float larger(float low, float high) {
    if (low > high) return std::numeric_limits<float>::quiet_NaN();
    return high >= -low ? high : low;
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The smallest power of two of values per cell that makes `count` fit into `most` cells.
int64_t cell_size(int64_t count, int64_t most) {
    return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(divide_up(count, std::max<int64_t>(most, 1)))));
}

MapTile empty_tile(const Extent& part, int64_t cell_rows, int64_t cell_columns, const Extent& whole) {
    const int64_t top = part.row / cell_rows * cell_rows, left = part.column / cell_columns * cell_columns;
    const int64_t bottom = std::min(divide_up(part.row + part.rows, cell_rows) * cell_rows, whole.rows);
    const int64_t right = std::min(divide_up(part.column + part.columns, cell_columns) * cell_columns, whole.columns);
    MapTile tile{.rows = divide_up(bottom - top, cell_rows),
                 .columns = divide_up(right - left, cell_columns),
                 .values = {},
                 .covers = {top, left, bottom - top, right - left},
                 .cell_rows = cell_rows,
                 .cell_columns = cell_columns};
    tile.values.resize(static_cast<size_t>(tile.rows * tile.columns));
    return tile;
}

}  // namespace

MapTile WeightMap::tile(WeightLayer layer, const Extent& part, int64_t max_rows, int64_t max_columns) const {
    const Extent visible = clipped(part, rows_.whole());
    if (visible.rows == 0 || visible.columns == 0) return {.values = {}, .covers = visible};
    MapTile tile = empty_tile(visible, cell_size(visible.rows, max_rows), cell_size(visible.columns, max_columns), rows_.whole());
    if (tile.cell_rows >= coarse_cell && tile.cell_columns >= coarse_cell) fill_from_coarse(coarse(layer), tile);
    else fill_from_values(layer, tile);
    return tile;
}

MapTile WeightMap::empty_coarse_map(const Extent& whole) { return empty_tile(whole, coarse_cell, coarse_cell, whole); }

void WeightMap::keep_coarse_map(WeightLayer layer, MapTile tile) {
    CoarseMap& map = coarse_[static_cast<size_t>(layer)];
    std::call_once(map.made, [&] { map.tile = std::move(tile); });
}

const MapTile& WeightMap::coarse(WeightLayer layer) const {
    CoarseMap& map = coarse_[static_cast<size_t>(layer)];
    std::call_once(map.made, [&] {
        map.tile = empty_coarse_map(rows_.whole());
        fill_from_values(layer, map.tile);
    });
    return map.tile;
}

void WeightMap::fill_from_values(WeightLayer layer, MapTile& tile) const {
    const Extent& covers = tile.covers;
    const int64_t grain = std::max<int64_t>(1, values_per_task / (tile.cell_rows * covers.columns));
    parallel_for(tile.rows, grain, [&](int64_t begin, int64_t end) {
        std::vector<float> low(static_cast<size_t>(covers.columns)), high(low.size());
        float values[most_piece_columns];
        for (int64_t cell_row = begin; cell_row < end; ++cell_row) {
            std::fill(low.begin(), low.end(), infinity);
            std::fill(high.begin(), high.end(), -infinity);
            const int64_t first = covers.row + cell_row * tile.cell_rows, last = std::min(first + tile.cell_rows, covers.row + covers.rows);
            for (int64_t row = first; row < last; ++row) {
                for (int64_t at = 0; at < covers.columns; at += most_piece_columns) {
                    const int64_t count = std::min(most_piece_columns, covers.columns - at);
                    rows_.read(layer, row, covers.column + at, count, values);
                    widen_range(values, count, low.data() + at, high.data() + at);
                }
            }
            float* cells = tile.values.data() + cell_row * tile.columns;
            for (int64_t cell = 0; cell < tile.columns; ++cell) {
                const int64_t left = cell * tile.cell_columns, right = std::min(left + tile.cell_columns, covers.columns);
                cells[cell] = larger(*std::min_element(low.begin() + left, low.begin() + right), *std::max_element(high.begin() + left, high.begin() + right));
            }
        }
    });
}

void WeightMap::fill_from_coarse(const MapTile& coarse, MapTile& tile) {
    const int64_t height = tile.cell_rows / coarse_cell, width = tile.cell_columns / coarse_cell;
    const int64_t top = tile.covers.row / coarse_cell, left = tile.covers.column / coarse_cell;
    const int64_t grain = std::max<int64_t>(1, values_per_task / (height * width * tile.columns));
    parallel_for(tile.rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t cell_row = begin; cell_row < end; ++cell_row) {
            const int64_t first = top + cell_row * height, last = std::min(first + height, coarse.rows);
            for (int64_t cell = 0; cell < tile.columns; ++cell) {
                const int64_t begin_column = left + cell * width, end_column = std::min(begin_column + width, coarse.columns);
                float low = infinity, high = -infinity;
                for (int64_t row = first; row < last; ++row) {
                    const float* values = coarse.values.data() + row * coarse.columns;
                    for (int64_t column = begin_column; column < end_column; ++column) {
                        low = values[column] < low ? values[column] : low;
                        high = values[column] > high ? values[column] : high;
                    }
                }
                tile.values[static_cast<size_t>(cell_row * tile.columns + cell)] = larger(low, high);
            }
        }
    });
}

}  // namespace calibench
