#include "core/kernels/rotary.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/kernels/backends.h"
#include "core/kernels/cpu/loops.h"
#include "core/kernels/cpu/parallel.h"

namespace calibench::cpu {

namespace {

using lanes::Lanes;

/// A row is one token's heads.
struct Tokens {
    const void* from;
    void* to;
    const void* cos;
    const void* sin;
    int64_t seq, heads, head_dim;
    bool angles_per_sample;

    [[nodiscard]] CALIBENCH_INLINE int64_t angles_of(int64_t token) const { return (angles_per_sample ? token : token % seq) * head_dim; }
    /// Where [batch, heads, seq, head_dim] holds the token's first head; the next is seq * head_dim further.
    [[nodiscard]] CALIBENCH_INLINE int64_t by_head(int64_t token) const { return ((token / seq) * heads * seq + token % seq) * head_dim; }
};

template <int N, typename T>
CALIBENCH_INLINE void forward_tokens(const Tokens& tokens, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const int64_t half = tokens.head_dim / 2;
    for (int64_t token = begin; token < end; ++token) {
        const T* cos = static_cast<const T*>(tokens.cos) + tokens.angles_of(token);
        const T* sin = static_cast<const T*>(tokens.sin) + tokens.angles_of(token);
        for (int64_t head = 0; head < tokens.heads; ++head) {
            const T* x = static_cast<const T*>(tokens.from) + (token * tokens.heads + head) * tokens.head_dim;
            T* y = static_cast<T*>(tokens.to) + tokens.by_head(token) + head * tokens.seq * tokens.head_dim;
            for (int64_t i = 0; i < half; i += N) {
                const auto low = L::load(x + i, half - i), high = L::load(x + half + i, half - i);
                const auto c = L::load(cos + i, half - i), s = L::load(sin + i, half - i);
                L::store(y + i, L::template narrow<T>(low * c) - L::template narrow<T>(high * s), half - i);
                L::store(y + half + i, L::template narrow<T>(high * c) + L::template narrow<T>(low * s), half - i);
            }
        }
    }
}

/// The rotation by the opposite angle.
template <int N, typename T>
CALIBENCH_INLINE void backward_tokens(const Tokens& tokens, int64_t begin, int64_t end) {
    using L = Lanes<N>;
    const int64_t half = tokens.head_dim / 2;
    for (int64_t token = begin; token < end; ++token) {
        const T* cos = static_cast<const T*>(tokens.cos) + tokens.angles_of(token);
        const T* sin = static_cast<const T*>(tokens.sin) + tokens.angles_of(token);
        for (int64_t head = 0; head < tokens.heads; ++head) {
            const T* grad = static_cast<const T*>(tokens.from) + tokens.by_head(token) + head * tokens.seq * tokens.head_dim;
            T* grad_x = static_cast<T*>(tokens.to) + (token * tokens.heads + head) * tokens.head_dim;
            for (int64_t i = 0; i < half; i += N) {
                const auto low = L::load(grad + i, half - i), high = L::load(grad + half + i, half - i);
                const auto c = L::load(cos + i, half - i), s = L::load(sin + i, half - i);
                L::store(grad_x + i, low * c + high * s, half - i);
                L::store(grad_x + half + i, high * c - low * s, half - i);
            }
        }
    }
}

CALIBENCH_LOOP(forward_loop, forward_tokens, Tokens)
CALIBENCH_LOOP(backward_loop, backward_tokens, Tokens)

using Loop = void (*)(const Tokens&, int64_t, int64_t);

/// `x` [batch, seq, heads, head_dim] is the source or the destination.
void run(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, const void* from, void* to, Loop wide, Loop narrow) {
    const Tokens tokens{from, to, cos.const_data_ptr(), sin.const_data_ptr(), x.size(1), x.size(2), x.size(3), cos.size(0) > 1};
    const Loop loop = x.scalar_type() == at::kBFloat16 ? narrow : wide;
    parallel_for(x.size(0) * x.size(1), std::max<int64_t>(1, 16384 / (x.size(2) * x.size(3))), [&](int64_t begin, int64_t end) { loop(tokens, begin, end); });
}

void forward(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& result) {
    run(x, cos, sin, x.const_data_ptr(), result.mutable_data_ptr(), forward_loop<float>, forward_loop<uint16_t>);
}

void backward(const at::Tensor& grad, const at::Tensor& cos, const at::Tensor& sin, at::Tensor& grad_x) {
    run(grad_x, cos, sin, grad.const_data_ptr(), grad_x.mutable_data_ptr(), backward_loop<float>, backward_loop<uint16_t>);
}

}  // namespace

const RotaryKernels rotary_kernels{forward, backward};

}  // namespace calibench::cpu
