#pragma once

#include <cstdint>

namespace calibench::cuda {

// What the .cu files offer: plain pointers into device memory, no LibTorch, so that nvcc never sees its headers. `narrow`: elements are
// bfloat16, else float32. Everything is launched on `stream` (a cudaStream_t) and not waited for. A launch that fails throws RunError.

enum class ScaleType { Float32, Float16, BFloat16 };

struct QdqArguments {
    const void* weight = nullptr;
    const void* grad = nullptr;  ///< step only
    void* qdq = nullptr;
    const float* v = nullptr;
    float* v_next = nullptr;
    const float* range_min = nullptr;
    const float* range_max = nullptr;
    float* min_scale = nullptr;
    float* max_scale = nullptr;
    int64_t groups = 0, group_size = 0;
    float levels = 0;  ///< 2^(b-1) symmetric, 2^b - 1 asymmetric
    bool symmetric = true;
    ScaleType scale_type = ScaleType::Float16;
    float scale_threshold = 0;
    float rate = 0, minmax_rate = 0;
};
void launch_qdq_forward(const QdqArguments& arguments, bool narrow, void* stream);
void launch_qdq_step(const QdqArguments& arguments, bool narrow, void* stream);

/// sums: double [rows], each row's squared error, 0 where the mask leaves it out.
struct LossArguments {
    const void* output = nullptr;
    const void* target = nullptr;
    void* gradient = nullptr;
    const bool* mask = nullptr;  ///< or null
    double* sums = nullptr;
    int64_t rows = 0, features = 0;
    float factor = 0;
};
void launch_block_loss(const LossArguments& arguments, bool narrow, void* stream);

struct NormArguments {
    const void* x = nullptr;
    const void* weight = nullptr;
    const void* grad_y = nullptr;  ///< backward only
    void* result = nullptr;        ///< y or grad_x
    float* inverse_rms = nullptr;
    int64_t rows = 0, features = 0;
    double eps = 0;
};
void launch_rms_norm_forward(const NormArguments& arguments, bool narrow, void* stream);
void launch_rms_norm_backward(const NormArguments& arguments, bool narrow, void* stream);

struct SwigluArguments {
    const void* gate = nullptr;
    const void* up = nullptr;
    const void* grad_y = nullptr;  ///< backward only
    void* y = nullptr;             ///< forward only
    void* grad_gate = nullptr;
    void* grad_up = nullptr;
    int64_t elements = 0;
};
void launch_swiglu_forward(const SwigluArguments& arguments, bool narrow, void* stream);
void launch_swiglu_backward(const SwigluArguments& arguments, bool narrow, void* stream);

struct RotaryArguments {
    const void* from = nullptr;
    void* to = nullptr;
    const void* cos = nullptr;
    const void* sin = nullptr;
    int64_t batch = 0, seq = 0, heads = 0, head_dim = 0;
    bool angles_per_sample = false;
};
void launch_rotary_forward(const RotaryArguments& arguments, bool narrow, void* stream);
void launch_rotary_backward(const RotaryArguments& arguments, bool narrow, void* stream);

struct SoftmaxArguments {
    const void* probabilities = nullptr;  ///< backward only
    void* scores = nullptr;               ///< replaced by the result
    int64_t rows = 0, seq = 0;
    float scale = 1;
};
void launch_causal_softmax_forward(const SoftmaxArguments& arguments, bool narrow, void* stream);
void launch_causal_softmax_backward(const SoftmaxArguments& arguments, bool narrow, void* stream);

}  // namespace calibench::cuda
