#pragma once

#include <ATen/core/Tensor.h>

namespace calibench {

// Rounding to nearest looks at every weight alone. The inputs of a Linear have much in common, though, so the error of one column
// can be made good by the columns still to come (GPTQ: Frantar et al., ICLR 2023), and what is left by changing single levels as
// long as that helps (coordinate descent, QuantEase: Behdin et al., 2023). For AutoRound it is where to begin, not the end.

/// What a row's weights can become: scale * q with whole low <= q <= high. Float32 [rows, groups], a group being a run of columns.
struct LevelGrid {
    at::Tensor scale;  ///< not 0; may be negative
    at::Tensor low, high;
};

/// The levels q, float32 [rows, columns], for which x (scale q)^T is near x weight^T over the inputs x that `products` comes from:
/// the sum of their x^T x, float32 [columns, columns]. Rounds to nearest where nothing is known of the inputs. On the CPU.
[[nodiscard]] at::Tensor round_with_feedback(const at::Tensor& weight, const LevelGrid& grid, const at::Tensor& products);

/// The weight [rows, columns] whose outputs x W^T also make up for errors that others made, as far as the inputs x tell them: ridge
/// regression on `errors`, the sum of error^T x, [rows, columns]. On the CPU, float32.
[[nodiscard]] at::Tensor correct_weight(const at::Tensor& weight, const at::Tensor& products, const at::Tensor& errors);

}  // namespace calibench
