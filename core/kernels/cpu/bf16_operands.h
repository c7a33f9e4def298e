#pragma once

#include <initializer_list>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/kernels/cpu/bf16_products.h"

#if defined(CALIBENCH_BF16_PRODUCTS)

namespace calibench::cpu::bf16 {

[[nodiscard]] inline const uint16_t* elements(const at::Tensor& x) { return static_cast<const uint16_t*>(x.const_data_ptr()); }
[[nodiscard]] inline uint16_t* mutable_elements(const at::Tensor& x) { return static_cast<uint16_t*>(x.mutable_data_ptr()); }

/// Whether products can be made of these: bfloat16 matrices in the processor's memory, row-major, all sides multiples of 32.
[[nodiscard]] bool are_usable(std::initializer_list<at::Tensor> tensors);

/// A distance between rows of n elements that does not send them all to the same few sets of the cache.
[[nodiscard]] constexpr int64_t spread(int64_t n) { return n / 32 % 2 == 0 ? n + 32 : n; }

/// How many tokens pass a half of a block together: their states stay in the second-level cache beside a panel of weights, and there is
/// work for all threads.
[[nodiscard]] int64_t chunk_of(int64_t tokens);

/// Buffers for the thread that asks, while this lives; the next one finds them again.
class Scratch {
public:
    [[nodiscard]] uint16_t* halves(int64_t count) { return static_cast<uint16_t*>(bytes(count * 2)); }
    [[nodiscard]] float* floats(int64_t count) { return static_cast<float*>(bytes(count * 4)); }

private:
    [[nodiscard]] void* bytes(int64_t count);
    size_t used_ = 0;
};

/// A right operand [k, n] in panels.
class Packed {
public:
    Packed(int64_t k, int64_t n, const at::TensorOptions& options);
    Packed(at::Tensor panels, int64_t k, int64_t n) : panels_(std::move(panels)), k_(k), n_(n) {}
    /// A weight as it is, or its transpose; under FrozenWeights the transpose is kept.
    [[nodiscard]] static Packed plain(const at::Tensor& weight);
    [[nodiscard]] static Packed transposed(const at::Tensor& weight);

    /// The panel that starts at a column, a multiple of panel_columns, from row k on.
    [[nodiscard]] Right panel(int64_t column, int64_t k = 0) const;
    /// Where it has its pairs of rows.
    [[nodiscard]] uint16_t* at(int64_t column, int64_t k) const { return const_cast<uint16_t*>(panel(column, k).panel); }
    /// Takes rows [rows, columns], `stride` apart, for row k and a panel's first column on.
    void put(const uint16_t* from, int64_t stride, int64_t rows, int64_t columns, int64_t k, int64_t column) const;
    [[nodiscard]] const at::Tensor& panels() const { return panels_; }
    [[nodiscard]] int64_t columns() const { return n_; }

private:
    at::Tensor panels_;
    int64_t k_, n_;
};

/// rms_norm(x) of all rows, each in its place.
[[nodiscard]] at::Tensor normalized(const at::Tensor& x, const at::Tensor& weight, double eps);

/// sums[rows, right.columns()] (+)= left * right, the right operand from its row `from` on.
void multiply(Left left, const Packed& right, int64_t rows, int64_t k, Sums sums, bool add = false, int64_t from = 0);

/// States [tokens, columns] as left operand of a product over the tokens.
class TransposedStates {
public:
    TransposedStates(int64_t tokens, int64_t columns, const at::TensorOptions& options);
    explicit TransposedStates(at::Tensor states) : states_(std::move(states)) {}
    /// Takes states [rows, columns], `stride` apart, for a token on and a column on.
    void put(const uint16_t* states, int64_t stride, int64_t rows, int64_t columns, int64_t token, int64_t column) const;
    [[nodiscard]] const uint16_t* row(int64_t column) const { return elements(states_) + column * stride(); }
    [[nodiscard]] int64_t stride() const { return states_.size(1); }
    [[nodiscard]] int64_t columns() const { return states_.size(0); }
    [[nodiscard]] const at::Tensor& states() const { return states_; }

private:
    at::Tensor states_;
};

/// d loss / d weight [out, in] of y = x weight^T, a product over the tokens: of grad_y and x as left and right operand, or, to
/// transpose the fewer columns, of x and grad_y; then the sums are the result's transpose.
struct WeightGradient {
    TransposedStates left;
    Packed right;
    const at::Tensor& result;  ///< undefined: not wanted
    bool is_transposed = false;
};
/// Of several weights at once, so that no thread waits for another between them.
void weight_gradients(const std::vector<WeightGradient>& gradients, int64_t tokens);

}  // namespace calibench::cpu::bf16

#endif
