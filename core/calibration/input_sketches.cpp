#include "core/calibration/input_sketches.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "core/base/text.h"

namespace calibench {

namespace {

/// "model.layers.0.mlp.experts.*.gate_proj" of "model.layers.0.mlp.experts.7.gate_proj".
std::string for_all_experts(const std::string& module) {
    const size_t leaf = module.rfind('.');
    const size_t number = module.rfind('.', leaf - 1);
    return concat(module.substr(0, number + 1), "*", module.substr(leaf));
}

}  // namespace

InputSketches::InputSketches(const RunPlan& plan)
    : plan_(plan), sample_stride_(sample_stride(plan)), last_input_(c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>()) {}

/// So few that they cost a hundredth of a pass or so; at every position of a sample in turn, for the first ones are often outliers.
int64_t InputSketches::sample_stride(const RunPlan& plan) {
    const int64_t tokens = plan.samples.num_samples * plan.samples.seq_len;
    int64_t stride = std::max<int64_t>(1, tokens / std::clamp<int64_t>(tokens / 1024, 16, 256));
    while (std::gcd(stride, plan.samples.seq_len) != 1) ++stride;
    return stride;
}

BlockSketches::Place InputSketches::place_of(const std::string& module, const at::Tensor& input) {
    const bool is_last = last_input_._unsafe_get_target() == input.unsafeGetTensorImpl();
    if (is_last) return last_place_;
    return {module, plan_.expert_of.contains(module) ? for_all_experts(module) : module};
}

ActivationSketcher::Range InputSketches::see(const std::string& module, const at::Tensor& input) {
    if (input.numel() == 0) return {};
    const auto known = sketches_.modules.find(module);
    const BlockSketches::Place place = known == sketches_.modules.end() ? place_of(module, input) : known->second;
    sketches_.modules[module] = place;
    if (place.channels != module && place.channels == last_place_.channels) return last_range_;
    last_input_ = c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>(input.getIntrusivePtr());
    last_place_ = place;
    return last_range_ = sketchers_.try_emplace(place.sketch, sample_stride_).first->second.observe(input, sketches_.channels[place.channels]);
}

void InputSketches::see_all_tokens(const std::string& expert, const at::Tensor& input) {
    if (input.numel() == 0) return;
    const auto [min, max] = input.detach().aminmax();
    const at::Tensor range = at::stack({min, max}).to(at::kCPU, at::kFloat).unsqueeze(0);
    at::Tensor& all = sketches_.expert_ranges[expert];
    all = all.defined() ? at::cat({all, range}, 0) : range;
}

BlockSketches InputSketches::finish() {
    for (auto& [name, sketcher] : sketchers_)
        if (!sketcher.empty()) sketches_.sketches[name] = sketcher.finish();
    return std::move(sketches_);
}

}  // namespace calibench
