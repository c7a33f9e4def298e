#include "core/kernels/cpu/bf16_operands.h"

#include "core/kernels/frozen_weights.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/kernels/cpu/bf16_residual.h"
#include "core/kernels/recycled.h"

namespace calibench::cpu::bf16 {

namespace {

struct Block {
    std::unique_ptr<void, decltype(&std::free)> memory{nullptr, &std::free};
    int64_t size = 0;
};
thread_local std::vector<Block> blocks;

/// By the weight's first element; the weight is kept too, so that nothing else comes to lie there.
thread_local int freezers = 0;
thread_local std::map<const void*, std::pair<at::Tensor, Packed>> kept_transposes;

/// Of a gradient that one thread computes at once: its sums and the operands of `depth` tokens fit the second-level cache.
constexpr int64_t tile_rows = 192, tile_columns = 9 * panel_columns, depth = 512;

struct Tile {
    const WeightGradient* gradient;
    int64_t row, column;
};

void compute(const Tile& tile, int64_t tokens, int64_t most_rows) {
    const auto& [left, right, result, is_transposed] = *tile.gradient;
    const int64_t rows = std::min(most_rows, left.columns() - tile.row), columns = std::min(tile_columns, right.columns() - tile.column);
    Scratch scratch;
    float* sums = scratch.floats(tile_rows * tile_columns);
    for (int64_t token = 0; token < tokens; token += depth) {
        for (int64_t column = 0; column < columns; column += panel_columns) {
            multiply({left.row(tile.row) + token, left.stride()}, right.panel(tile.column + column, token), rows,
                     std::min(depth, tokens - token), {sums + column, columns}, token > 0);
        }
    }
    uint16_t* to = mutable_elements(result);
    const int64_t stride = result.size(1);
    if (is_transposed)
        narrow_transposed(sums, columns, rows, columns, to + tile.column * stride + tile.row, stride);
    else
        narrow(sums, columns, rows, columns, to + tile.row * stride + tile.column, stride);
}

}  // namespace

bool are_usable(std::initializer_list<at::Tensor> tensors) {
    return available() && std::all_of(tensors.begin(), tensors.end(), [](const at::Tensor& x) {
               if (!x.device().is_cpu() || x.scalar_type() != at::kBFloat16 || !x.is_contiguous() || x.numel() == 0) return false;
               return x.size(-1) % 32 == 0 && (x.dim() != 2 || x.size(0) % 32 == 0);
           });
}

int64_t chunk_of(int64_t tokens) {
    int64_t chunk = 256;
    while (chunk > 32 && tokens < 2 * chunk * at::get_num_threads()) chunk /= 2;
    return chunk;
}

void* Scratch::bytes(int64_t count) {
    if (used_ == blocks.size()) blocks.emplace_back();
    Block& block = blocks[used_++];
    if (block.size < count) {
        block.size = (count + 4095) / 4096 * 4096;
        block.memory.reset(std::aligned_alloc(4096, static_cast<size_t>(block.size)));
    }
    return block.memory.get();
}

Packed::Packed(int64_t k, int64_t n, const at::TensorOptions& options) : Packed(recycled({k * n}, options), k, n) {}

Packed Packed::plain(const at::Tensor& weight) {
    const int64_t k = weight.size(0), n = weight.size(1);
    const Packed packed(k, n, weight.options());
    share_out(n / 32, [&](int64_t i) { packed.put(elements(weight) + i * 32, n, k, 32, 0, i * 32); });
    return packed;
}

Packed Packed::transposed(const at::Tensor& weight) {
    const auto kept = kept_transposes.find(weight.const_data_ptr());
    if (kept != kept_transposes.end() && kept->second.first.sizes() == weight.sizes()) return kept->second.second;
    const int64_t n = weight.size(0), k = weight.size(1);
    const Packed packed(k, n, weight.options());
    share_out(n / 32, [&](int64_t i) {
        const auto [panel, width] = packed.panel(i * 32 / panel_columns * panel_columns);
        pack_columns(elements(weight) + i * 32 * k, k, k, const_cast<uint16_t*>(panel) + 2 * (i * 32 % panel_columns), width);
    });
    if (freezers > 0) kept_transposes.insert_or_assign(weight.const_data_ptr(), std::pair(weight, packed));
    return packed;
}

Right Packed::panel(int64_t column, int64_t k) const {
    const int64_t width = std::min(panel_columns, n_ - column);
    return {elements(panels_) + column * k_ + k * width, width};
}

void Packed::put(const uint16_t* from, int64_t stride, int64_t rows, int64_t columns, int64_t k, int64_t column) const {
    for (const int64_t end = column + columns; column < end; column += 32, from += 32) {
        const auto [panel, width] = this->panel(column / panel_columns * panel_columns, k);
        pack_rows(from, stride, rows, const_cast<uint16_t*>(panel) + 2 * (column % panel_columns), width);
    }
}

void multiply(Left left, const Packed& right, int64_t rows, int64_t k, Sums sums, bool add, int64_t from) {
    for (int64_t column = 0; column < right.columns(); column += panel_columns)
        multiply(left, right.panel(column, from), rows, k, {sums.rows + column, sums.stride}, add);
}

at::Tensor normalized(const at::Tensor& x, const at::Tensor& weight, double eps) {
    const int64_t features = x.size(-1), tokens = x.numel() / features, chunk_tokens = chunk_of(tokens);
    const at::Tensor all = recycled(x.sizes(), x.options()), inverse_rms = recycled({tokens}, x.options().dtype(at::kFloat));
    share_out((tokens + chunk_tokens - 1) / chunk_tokens, [&](int64_t chunk) {
        const int64_t token = chunk * chunk_tokens, rows = std::min(chunk_tokens, tokens - token);
        normalize(elements(x) + token * features, elements(weight), eps, rows, features, mutable_elements(all) + token * features, features,
                  inverse_rms.mutable_data_ptr<float>() + token);
    });
    return all;
}

TransposedStates::TransposedStates(int64_t tokens, int64_t columns, const at::TensorOptions& options)
    : states_(recycled({columns, spread(tokens)}, options)) {}

void TransposedStates::put(const uint16_t* states, int64_t stride, int64_t rows, int64_t columns, int64_t token, int64_t column) const {
    transpose(states, stride, rows, columns, mutable_elements(states_) + column * this->stride() + token, this->stride());
}

void weight_gradients(const std::vector<WeightGradient>& gradients, int64_t tokens) {
    const auto tiles_of = [&](int64_t rows) {
        std::vector<Tile> tiles;
        for (const WeightGradient& gradient : gradients) {
            if (!gradient.result.defined()) continue;
            for (int64_t row = 0; row < gradient.left.columns(); row += rows) {
                for (int64_t column = 0; column < gradient.right.columns(); column += tile_columns)
                    tiles.push_back({&gradient, row, column});
            }
        }
        return tiles;
    };
    int64_t rows = tile_rows;
    std::vector<Tile> tiles = tiles_of(rows);
    while (rows > 32 && static_cast<int64_t>(tiles.size()) < 4 * at::get_num_threads()) tiles = tiles_of(rows = rows / 64 * 32);
    share_out(static_cast<int64_t>(tiles.size()), [&](int64_t i) { compute(tiles[static_cast<size_t>(i)], tokens, rows); });
}

}  // namespace calibench::cpu::bf16

namespace calibench {

FrozenWeights::FrozenWeights() { ++cpu::bf16::freezers; }
FrozenWeights::~FrozenWeights() {
    if (--cpu::bf16::freezers == 0) cpu::bf16::kept_transposes.clear();
}

}  // namespace calibench

#else

namespace calibench {

FrozenWeights::FrozenWeights() = default;
FrozenWeights::~FrozenWeights() = default;

}  // namespace calibench

#endif
