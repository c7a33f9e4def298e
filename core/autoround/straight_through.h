#pragma once

#include <ATen/ATen.h>

namespace calibench {

// Straight-through estimators: the forward value of a step function, the gradient of the identity. The form
// (f(x) - x) + x is kept, not f(x) itself, because its rounding errors are part of the reference's results.

inline at::Tensor straight_through(const at::Tensor& stepped, const at::Tensor& x) { return (stepped - x).detach() + x; }

inline at::Tensor round_ste(const at::Tensor& x) { return straight_through(x.round(), x); }
inline at::Tensor floor_ste(const at::Tensor& x) { return straight_through(x.floor(), x); }
inline at::Tensor float8_e4m3fn_ste(const at::Tensor& x) {
    return straight_through(x.to(at::kFloat8_e4m3fn).to(x.scalar_type()), x);
}

}  // namespace calibench
