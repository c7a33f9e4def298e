#include "core/kernels/cuda/groups.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/kernels/cuda/kernels.h"
#include "core/kernels/cuda/tensors.h"
#include "core/kernels/search_format.h"

namespace calibench::cuda {

namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The cut depends on shapes alone, so that sums are the same in every run.
GroupRuns runs_of(const at::Tensor& flattened) {
    constexpr int64_t values_per_part = 4096;  // few enough to keep all of the device busy, enough to be worth a partial result
    GroupRuns runs;
    runs.total = flattened.numel();
    runs.observations = flattened.size(0);
    runs.size = flattened.size(-1);
    runs.groups = runs.total / (runs.observations * runs.size);
    if (runs.groups == 1) {
        runs.size = std::min(runs.total, values_per_part);
        runs.observations = divide_up(runs.total, runs.size);
    }
    runs.observations_per_part = std::clamp<int64_t>(values_per_part / runs.size, 1, runs.observations);
    runs.parts = divide_up(runs.observations, runs.observations_per_part);
    return runs;
}

at::Tensor floats(const at::Tensor& tensor) { return tensor.to(at::kFloat).contiguous(); }

class Search final : public GroupSearch {
public:
    explicit Search(const GroupSearchInputs& inputs);

    [[nodiscard]] uint32_t try_factors(std::span<const double> factors, const std::optional<Scales>& scales) override;
    void keep() override;
    [[nodiscard]] at::Tensor best_factor() const override { return best_factor_.clone(); }

private:
    at::Tensor values_;  ///< bfloat16 or float32
    at::Tensor min_, max_, weights_;
    SearchFormat format_;
    GroupRuns runs_;
    at::Tensor sums_;
    at::Tensor best_error_, best_factor_, pending_error_, pending_factor_;  ///< [groups]
    int32_t factors_kept_ = 0, factors_tried_ = 0;
};

static_assert(GroupSearch::most_candidates == SearchArguments::most_candidates);

Search::Search(const GroupSearchInputs& inputs)
    : values_(inputs.flattened.scalar_type() == at::kBFloat16 ? inputs.flattened.contiguous() : floats(inputs.flattened)),
      min_(floats(inputs.min)), max_(floats(inputs.max)), format_(search_format(inputs)), runs_(runs_of(inputs.flattened)) {
    const auto options = values_.options();
    if (inputs.norm.weights.defined()) weights_ = inputs.norm.weights.to(options.dtype(at::kFloat)).contiguous();
    sums_ = at::empty({runs_.parts, runs_.groups, most_candidates}, options.dtype(at::kDouble));
    best_error_ = at::full({runs_.groups}, format_.largest_error, options.dtype(at::kFloat));
    best_factor_ = at::full({runs_.groups}, -1, options.dtype(at::kInt));
    pending_error_ = best_error_.clone();
    pending_factor_ = best_factor_.clone();
}

uint32_t Search::try_factors(std::span<const double> factors, const std::optional<Scales>& scales) {
    SearchArguments p;
    p.values = values_.const_data_ptr();
    if (weights_.defined()) {
        p.weights = weights_.const_data_ptr<float>();
        p.columns = weights_.numel();
    }
    p.runs = runs_;
    p.min = min_.const_data_ptr<float>();
    p.max = max_.const_data_ptr<float>();
    std::transform(factors.begin(), factors.end(), p.factors, [](double factor) { return float(factor); });
    p.candidates = int(factors.size());
    p.format = format_.errors;
    p.rule = format_.scales;
    at::Tensor scale, zero_point;
    if (scales) {
        scale = floats(scales->scale);
        p.scales = scale.const_data_ptr<float>();
        p.format.has_zero_point = scales->zero_point.defined();
        if (scales->zero_point.defined()) {
            zero_point = floats(scales->zero_point);
            p.zero_points = zero_point.const_data_ptr<float>();
        }
    }
    p.exponent = float(format_.exponent);
    p.whole_exponent = whole_exponent(format_.exponent);
    p.sums = sums_.mutable_data_ptr<double>();
    p.error_rounding = format_.error_rounding;
    p.best_error = best_error_.const_data_ptr<float>();
    p.best_factor = best_factor_.const_data_ptr<int32_t>();
    p.pending_error = pending_error_.mutable_data_ptr<float>();
    p.pending_factor = pending_factor_.mutable_data_ptr<int32_t>();
    p.first_factor = factors_kept_;
    factors_tried_ = p.candidates;
    const at::Tensor improved = at::zeros({1}, best_factor_.options());
    p.improved = improved.mutable_data_ptr<int32_t>();
    launch_group_search(p, is_narrow(values_), LaunchSite(values_).stream());
    return uint32_t(improved.item<int32_t>());
}

void Search::keep() {
    std::swap(best_error_, pending_error_);
    std::swap(best_factor_, pending_factor_);
    factors_kept_ += factors_tried_;
    factors_tried_ = 0;
}

}  // namespace

std::pair<at::Tensor, at::Tensor> group_min_max(const at::Tensor& x) {
    RangeArguments p;
    p.runs = runs_of(x);
    const at::Tensor min = at::empty({p.runs.parts, p.runs.groups}, x.options()), max = at::empty_like(min);
    p.values = x.const_data_ptr();
    p.min = min.mutable_data_ptr();
    p.max = max.mutable_data_ptr();
    launch_group_min_max(p, is_narrow(x), LaunchSite(x).stream());
    const auto shape = x.sizes().slice(1, size_t(x.dim() - 2));
    if (p.runs.parts == 1) return {min.view(shape), max.view(shape)};
    return {min.amin(0).view(shape), max.amax(0).view(shape)};
}

std::unique_ptr<GroupSearch> search_groups(const GroupSearchInputs& inputs) { return std::make_unique<Search>(inputs); }

}  // namespace calibench::cuda
