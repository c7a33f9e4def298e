#pragma once

#include "core/kernels/block_loss.h"
#include "core/kernels/causal_softmax.h"
#include "core/kernels/group_min_max.h"
#include "core/kernels/group_search.h"
#include "core/kernels/qdq_weight.h"
#include "core/kernels/rms_norm.h"
#include "core/kernels/rotary.h"
#include "core/kernels/swiglu.h"

namespace calibench {

/// One implementation of everything that is the same loop on every device.
struct KernelBackend {
    QdqKernels qdq;
    BlockLossKernel block_loss;
    RmsNormKernels rms_norm;
    SwigluKernels swiglu;
    RotaryKernels rotary;
    CausalSoftmaxKernels causal_softmax;
    GroupMinMaxKernel group_min_max;
    GroupSearchFactory search_groups;
};

namespace cpu {
extern const QdqKernels qdq_kernels;
double block_loss(const at::Tensor& output, const at::Tensor& target, const at::Tensor& mask, double factor, at::Tensor& gradient);
extern const RmsNormKernels rms_norm_kernels;
extern const SwigluKernels swiglu_kernels;
extern const RotaryKernels rotary_kernels;
extern const CausalSoftmaxKernels causal_softmax_kernels;
std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x);
std::unique_ptr<GroupSearch> search_groups(const GroupSearchInputs& inputs);  ///< wherever they are
}  // namespace cpu

#ifdef CALIBENCH_CUDA
namespace cuda {
extern const KernelBackend backend;  ///< cuda/backend.cpp
}
#endif

}  // namespace calibench
