#pragma once

#include <functional>

#include "core/models/layers.h"

namespace calibench {

/// Sums over what enters a Linear while it is watched. Float32, on the CPU.
class InputProducts {
public:
    explicit InputProducts(Linear& linear);
    ~InputProducts();
    InputProducts(const InputProducts&) = delete;
    InputProducts& operator=(const InputProducts&) = delete;

    /// bool [batch, seq]: the positions of the next inputs that count; undefined: all. Inputs of another shape, as an expert's, count whole.
    void set_mask(const at::Tensor& mask) { mask_ = mask; }
    /// `error` [..., out]: what the last input's outputs lack.
    void add_error(const at::Tensor& error);

    /// x^T x, [in, in]; undefined when nothing entered.
    [[nodiscard]] const at::Tensor& inputs() const { return inputs_; }
    /// error^T x, [out, in].
    [[nodiscard]] const at::Tensor& errors() const { return errors_; }

private:
    void observe(const at::Tensor& input);

    Linear& linear_;
    std::function<void(const at::Tensor&)> watched_before_;
    at::Tensor mask_;
    at::Tensor latest_;  ///< [rows, in]
    at::Tensor inputs_, errors_;
};

}  // namespace calibench
