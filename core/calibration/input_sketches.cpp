#include "core/calibration/input_sketches.h"

#include <algorithm>

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

/// Tokens taken of each expert at least.
constexpr int64_t least_of_expert = 4;

}  // namespace

InputSketches::InputSketches(const RunPlan& plan)
    : plan_(plan), sample_size_(sample_size(plan)), last_input_(c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>()) {
    for (const auto& [module, expert] : plan.expert_of) num_experts_ = std::max(num_experts_, expert + 1);
}

int64_t InputSketches::sample_size(const RunPlan& plan) {
    return std::clamp<int64_t>(plan.samples.num_samples * plan.samples.seq_len / 32, 64, 512);
}

BlockSketches::Place InputSketches::place_of(const std::string& module, const at::Tensor& input) {
    const bool is_last = last_input_._unsafe_get_target() == input.unsafeGetTensorImpl();
    if (is_last) return last_place_;
    return {module, plan_.expert_of.contains(module) ? for_all_experts(module) : module};
}

void InputSketches::see(const std::string& module, const at::Tensor& input) {
    const auto known = sketches_.modules.find(module);
    const BlockSketches::Place place = known == sketches_.modules.end() ? place_of(module, input) : known->second;
    sketches_.modules[module] = place;
    last_input_ = c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>(input.getIntrusivePtr());
    last_place_ = place;
    if (place.channels != module) return;  // seen already

    const bool shared = place.sketch != module;
    const int64_t of_expert = std::max(least_of_expert, sample_size_ / std::max<int64_t>(1, num_experts_));
    ActivationSketcher& sketcher = sketchers_.try_emplace(place.sketch, shared ? of_expert * num_experts_ : sample_size_).first->second;
    ChannelSketch& channels = sketches_.channels[module];
    const int64_t taken_before = std::min(channels.num_tokens, of_expert);
    sketcher.observe(input, channels, shared ? of_expert - taken_before : sample_size_);
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
