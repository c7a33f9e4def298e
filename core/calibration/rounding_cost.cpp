#include "core/calibration/rounding_cost.h"

#include <algorithm>
#include <chrono>

#include <ATen/ATen.h>

#include "core/autoround/opt_rtn.h"
#include "core/autoround/tunable_weight.h"
#include "core/quantization/qparams.h"

namespace calibench {

namespace {

constexpr int64_t sample_rows = 256, sample_columns = 1024;
/// Autograd keeps about ten float32 tensors of a weight that is rounded operation by operation.
constexpr double bytes_of_reference_step = 10 * 4;

template <class Work>
double seconds_of(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

RoundingCost measure_rounding(const std::string& module, const QuantizationArgs& weights, const AutoRoundOptions& options,
                              const ComputeOptions& compute) {
    const int64_t group = std::max<int64_t>(1, weights.group_size.value_or(1));
    const int64_t columns = group * std::max<int64_t>(1, sample_columns / group);
    const at::Tensor weight = at::linspace(-1, 1, sample_rows * columns, at::device(compute.device).dtype(compute.dtype)).sin().view({sample_rows, columns});
    const auto per_weight = [&](double seconds) { return seconds / static_cast<double>(weight.numel()); };
    RoundingCost cost;
    if (options.iters == 0) {
        cost.start_seconds = per_weight(seconds_of([&] { (void)opt_rtn(weight, weights, {}, weight.scalar_type()); }));
        return cost;
    }
    WeightContext context;
    if (weights.strategy == Strategy::TensorGroup) context.global_scale = generate_gparam(-weight.abs().max(), weight.abs().max());
    std::optional<TunableWeight> tunable;
    cost.start_seconds = per_weight(seconds_of([&] { tunable.emplace(module, weight, weights, options, context); }));
    if (tunable->is_fused()) return cost;
    const at::Tensor gradient = weight.flip(0);
    tunable->step(gradient);  // the first call takes longer
    cost.step_seconds = per_weight(seconds_of([&] { tunable->step(gradient); }));
    cost.step_bytes = bytes_of_reference_step;
    return cost;
}

}  // namespace calibench
