#pragma once

#include <cstdint>
#include <functional>

#include "core/kernels/cpu/bf16_lanes.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

namespace calibench::cpu::bf16 {

// What products of bfloat16 matrices are made of where a processor has instructions for them (AMX, AVX-512 BF16): operands packed
// once instead of in every product, float32 sums that stay in the cache until an epilogue rounds them. A bfloat16 is an uint16_t, as
// everywhere in these kernels; counts are multiples of 32 unless they say otherwise.

/// Whether this processor and this LibTorch have them.
[[nodiscard]] bool available();

/// A right operand [k, n] is packed as panels of 64 columns, the last one of what is left, with rows in pairs: a panel of `width` columns
/// has its element (k, n) at [k / 2][n][k % 2], so that parts of its rows can be written apart. Small operands are one panel.
constexpr int64_t panel_columns = 64;

/// 32 columns of a panel from the operand's rows: `rows` rows of 32 elements, `stride` apart.
void pack_rows(const uint16_t* from, int64_t stride, int64_t rows, uint16_t* to, int64_t width);
/// The same of the transposed operand: 32 rows of `columns` elements, each a column of the panel.
void pack_columns(const uint16_t* from, int64_t stride, int64_t columns, uint16_t* to, int64_t width);
/// to[column][row] = from[row][column].
void transpose(const uint16_t* from, int64_t stride, int64_t rows, int64_t columns, uint16_t* to, int64_t to_stride);

struct Left {
    const uint16_t* rows;  ///< row-major
    int64_t stride;
};
struct Right {
    const uint16_t* panel;
    int64_t width;
};
struct Sums {
    float* rows;
    int64_t stride;
};
/// sums[rows, width] = left[rows, k] * right[k, width], or added to them. The rows may be any number.
void multiply(Left left, Right right, int64_t rows, int64_t k, Sums sums, bool add = false);
/// Only the first `columns` of the right operand.
void multiply(Left left, Right right, int64_t rows, int64_t columns, int64_t k, Sums sums, bool add = false);
/// Gives the matrix unit back; at the end of every thread's share of products.
void release();

/// to[column][row] = sums[row][column], rounded to bfloat16.
void narrow_transposed(const float* sums, int64_t stride, int64_t rows, int64_t columns, uint16_t* to, int64_t to_stride);
/// Rounds sums[rows, columns] to bfloat16.
void narrow(const float* sums, int64_t stride, int64_t rows, int64_t columns, uint16_t* to, int64_t to_stride);

/// Calls body(item) for each of `items`, on as many threads as LibTorch has, each taking the next as it is free. What an item computes
/// must not depend on who computes it.
void share_out(int64_t items, const std::function<void(int64_t item)>& body);

}  // namespace calibench::cpu::bf16

#endif
