#include "core/kernels/cuda/device.cuh"

namespace calibench::cuda {

namespace {

constexpr int threads = 256;

/// Where one pair of elements, i and i + head_dim / 2 of a head, lies.
struct Pair {
    int64_t angle;     ///< in cos and sin
    int64_t by_token;  ///< in [batch, seq, heads, head_dim]
    int64_t by_head;   ///< in [batch, heads, seq, head_dim]
};

__host__ __device__ int64_t pairs_of(const RotaryArguments& p) { return p.batch * p.seq * p.heads * (p.head_dim / 2); }

__device__ Pair pair_of(const RotaryArguments& p, int64_t number) {
    const int64_t half = p.head_dim / 2;
    const int64_t i = number % half, head = number / half % p.heads, token = number / half / p.heads;
    const int64_t sample = token / p.seq, position = token % p.seq;
    return {(p.angles_per_sample ? token : position) * p.head_dim + i, (token * p.heads + head) * p.head_dim + i,
            ((sample * p.heads + head) * p.seq + position) * p.head_dim + i};
}

template <typename T>
__global__ void forward_pairs(RotaryArguments p) {
    const int64_t half = p.head_dim / 2, pairs = pairs_of(p);
    for (int64_t number = first_item(); number < pairs; number += item_stride()) {
        const Pair pair = pair_of(p, number);
        const T* x = static_cast<const T*>(p.from) + pair.by_token;
        T* y = static_cast<T*>(p.to) + pair.by_head;
        const float c = load(static_cast<const T*>(p.cos) + pair.angle), s = load(static_cast<const T*>(p.sin) + pair.angle);
        const float low = load(x), high = load(x + half);
        store(y, narrowed<T>(low * c) - narrowed<T>(high * s));
        store(y + half, narrowed<T>(high * c) + narrowed<T>(low * s));
    }
}

/// The rotation by the opposite angle.
template <typename T>
__global__ void backward_pairs(RotaryArguments p) {
    const int64_t half = p.head_dim / 2, pairs = pairs_of(p);
    for (int64_t number = first_item(); number < pairs; number += item_stride()) {
        const Pair pair = pair_of(p, number);
        const T* grad = static_cast<const T*>(p.from) + pair.by_head;
        T* grad_x = static_cast<T*>(p.to) + pair.by_token;
        const float c = load(static_cast<const T*>(p.cos) + pair.angle), s = load(static_cast<const T*>(p.sin) + pair.angle);
        const float low = load(grad), high = load(grad + half);
        store(grad_x, low * c + high * s);
        store(grad_x + half, high * c - low * s);
    }
}

}  // namespace

void launch_rotary_forward(const RotaryArguments& arguments, bool narrow, void* stream) {
    launch("rotary_forward", narrow ? forward_pairs<__nv_bfloat16> : forward_pairs<float>, arguments, blocks_for(pairs_of(arguments), threads),
           threads, stream);
}

void launch_rotary_backward(const RotaryArguments& arguments, bool narrow, void* stream) {
    launch("rotary_backward", narrow ? backward_pairs<__nv_bfloat16> : backward_pairs<float>, arguments, blocks_for(pairs_of(arguments), threads),
           threads, stream);
}

}  // namespace calibench::cuda
