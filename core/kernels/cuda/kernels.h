#pragma once

#include <cstdint>

#include "core/kernels/error_format.h"

namespace calibench::cuda {

// What the .cu files offer: plain pointers into device memory, no LibTorch, so that nvcc never sees its headers. `narrow`: elements are
// bfloat16, else float32. Everything is launched on `stream` (a cudaStream_t) and not waited for. A launch that fails throws RunError.

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
    Rounding scale_rounding = Rounding::Float16;
    float scale_threshold = 0;
    float rate = 0, minmax_rate = 0, most_scale = 1;
};
void launch_qdq_forward(const QdqArguments& arguments, bool narrow, void* stream);
void launch_qdq_step(const QdqArguments& arguments, bool narrow, void* stream);

/// sums: double [rows], each row's squared error, 0 where the mask leaves it out. gradient: `factor` times that of the mean over what is kept.
struct LossArguments {
    const void* output = nullptr;
    const void* target = nullptr;
    void* gradient = nullptr;
    const bool* mask = nullptr;  ///< or null
    const int64_t* kept = nullptr;  ///< rows that the mask keeps: one number, in device memory too
    double* sums = nullptr;
    int64_t rows = 0, features = 0;
    double factor = 0;
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

/// A flattened observation (num_observations, *qparam_shape, group_size), cut for the device. A run is what one group sees in one
/// observation; the last run of a single group may be short. Each group has `parts` partial results, one warp's or block's work each.
struct GroupRuns {
    int64_t observations = 0, groups = 0, size = 0, total = 0;
    int64_t observations_per_part = 0, parts = 0;
};

/// min, max: [parts, groups] of the values' type; NaN where a value is NaN.
struct RangeArguments {
    const void* values = nullptr;
    void* min = nullptr;
    void* max = nullptr;
    GroupRuns runs;
};
void launch_group_min_max(const RangeArguments& arguments, bool narrow, void* stream);

struct SearchArguments {
    static constexpr int most_candidates = 16;
    const void* values = nullptr;
    const float* weights = nullptr;  ///< [columns], or null
    int64_t columns = 1;
    GroupRuns runs;
    // The candidates: the range times each factor, or ready-made scales [candidates, groups].
    const float* min = nullptr;
    const float* max = nullptr;
    float factors[most_candidates] = {};
    const float* scales = nullptr;
    const float* zero_points = nullptr;  ///< or null
    int candidates = 0;
    ErrorFormat format = {};
    ScaleRule rule = {};
    float exponent = 2;
    int whole_exponent = 0;  ///< the same, to be multiplied out; 0: use `exponent`
    double* sums = nullptr;  ///< [parts, groups, most_candidates]
    // What they are compared with, and what comes of it, per group. A pending factor is the number of the candidate from first_factor on.
    Rounding error_rounding = Rounding::Float32;
    const float* best_error = nullptr;
    const int32_t* best_factor = nullptr;
    float* pending_error = nullptr;
    int32_t* pending_factor = nullptr;
    int32_t first_factor = 0;
    int32_t* improved = nullptr;  ///< bit i: candidate i was an improvement for some group; starts as 0
};
/// sums, then the comparison.
void launch_group_search(const SearchArguments& arguments, bool narrow, void* stream);

}  // namespace calibench::cuda
