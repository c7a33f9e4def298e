#include "core/observers/observer.h"

#include <typeinfo>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/cpu/all_finite.h"
#include "core/observers/flatten.h"

namespace calibench {

Observer::Observer(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                   const nlohmann::json& observer_kwargs)
    : base_name_(std::move(base_name)), args_(std::move(args)), module_(module.value_or(ObservedModule{})) {
    if (!args_.observer_kwargs.is_object()) args_.observer_kwargs = nlohmann::json::object();
    if (observer_kwargs.is_object()) args_.observer_kwargs.update(observer_kwargs);
}

ScaleAndZeroPoint Observer::forward(const at::Tensor& observed, const at::Tensor& g_idx) {
    record_observed_tokens(observed);
    return get_qparams(observed, g_idx);
}

ScaleAndZeroPoint Observer::get_qparams(const at::Tensor& observed, const at::Tensor& g_idx) {
    const at::NoGradGuard no_grad;
    if (observed.defined()) observe(observed, g_idx);
    const MinMax range = statistics();
    if (!range.min.defined()) throw RunError(subject() + " has no statistics: nothing was observed before its qparams were asked for");
    const auto [min, max] = range_for_qparams(range);
    require_finite_range(min, max, module_.name, base_name_);
    ScaleAndZeroPoint qparams = calibench::calculate_qparams(min, max, args_, global_scale());
    post_calculate_qparams();
    return qparams;
}

ScaleAndZeroPoint Observer::calculate_qparams(const at::Tensor& observed, at::IntArrayRef reduce_dims) {
    std::vector<bool> reduced(size_t(observed.dim()), false);
    for (const int64_t dim : reduce_dims) reduced.at(size_t(dim < 0 ? dim + observed.dim() : dim)) = true;
    std::vector<int64_t> order, shape;
    for (int64_t dim = 0; dim < observed.dim(); ++dim) {
        if (!reduced[size_t(dim)]) order.push_back(dim);
        shape.push_back(reduced[size_t(dim)] ? 1 : observed.size(dim));
    }
    const auto kept = int64_t(order.size());
    for (int64_t dim = 0; dim < observed.dim(); ++dim)
        if (reduced[size_t(dim)]) order.push_back(dim);

    const at::NoGradGuard no_grad;
    at::Tensor flattened = observed.permute(order);
    flattened = kept == observed.dim() ? flattened.unsqueeze(-1) : flattened.flatten(kept);
    update_statistics(flattened.unsqueeze(0));
    const ScaleAndZeroPoint qparams = get_qparams();
    return {qparams.scale.reshape(shape), qparams.zero_point.reshape(shape)};
}

void Observer::observe(const at::Tensor& observed, const at::Tensor& g_idx) {
    if (observed.numel() == 0 || (base_name_ == "weight" && has_statistics())) return;
    const at::NoGradGuard no_grad;
    update_statistics(flatten_for_calibration(observed, base_name_, args_, g_idx.defined() ? g_idx : module_.g_idx));
}

void Observer::update_statistics(const at::Tensor& flattened) {
    const at::NoGradGuard no_grad;
    const MinMax now = measure(flattened);
    require_finite(now, flattened);
    const MinMax past = statistics();
    const MinMax updated = past.min.defined() ? accumulate(past, now) : now;
    const std::lock_guard lock(mutex_);
    statistics_ = updated;
}

void Observer::reset() {
    shared_global_scale_ = at::Tensor();
    const std::lock_guard lock(mutex_);
    statistics_ = {};
    merged_observers_ = 1;
    num_observed_tokens_.reset();
    num_tokens_seen_ = 0;
}

void Observer::record_observed_tokens(const at::Tensor& batch_tensor) {
    if (batch_tensor.dim() == 0) return;
    const int64_t tokens = c10::multiply_integers(batch_tensor.sizes().slice(0, size_t(batch_tensor.dim() - 1)));
    const std::lock_guard lock(mutex_);
    num_tokens_seen_ += tokens;
    if (batch_tensor.dim() == 2) num_observed_tokens_ = num_observed_tokens_.value_or(0) + tokens;
}

std::optional<int64_t> Observer::num_observed_tokens() const {
    const std::lock_guard lock(mutex_);
    return num_observed_tokens_;
}

int64_t Observer::num_tokens_seen() const {
    const std::lock_guard lock(mutex_);
    return num_tokens_seen_;
}

MinMax Observer::statistics() const {
    const std::lock_guard lock(mutex_);
    return statistics_;
}

at::Tensor Observer::global_scale() const {
    if (args_.strategy != Strategy::TensorGroup) return {};
    if (shared_global_scale_.defined()) return shared_global_scale_;
    if (module_.global_scale.defined()) return module_.global_scale;
    const MinMax range = statistics();
    if (!range.min.defined()) return {};
    const at::Tensor absmax = at::max(range.max.max(), range.min.min().neg()).reshape({1});
    return generate_gparam(absmax.neg(), absmax);
}

void Observer::merge(const Observer& other) {
    if (typeid(*this) != typeid(other))
        throw InputError(subject() + " cannot take in the statistics of an observer of another type");
    const MinMax mine = statistics();
    const MinMax theirs = other.statistics();
    if (mine.min.defined() && theirs.min.defined() && mine.min.sizes() != theirs.min.sizes())
        throw InputError(concat(subject(), " has statistics of shape ", mine.min.sizes(), " and cannot take in those of shape ",
                                theirs.min.sizes()));
    const std::scoped_lock lock(mutex_, other.mutex_);
    if (theirs.min.defined()) {
        if (mine.min.defined()) {
            const at::NoGradGuard no_grad;
            merged_observers_ += other.merged_observers_;
            statistics_ = combine(mine, theirs, double(other.merged_observers_) / double(merged_observers_));
        } else {
            merged_observers_ = other.merged_observers_;
            statistics_ = theirs;
        }
    }
    if (other.num_observed_tokens_) num_observed_tokens_ = num_observed_tokens_.value_or(0) + *other.num_observed_tokens_;
    num_tokens_seen_ += other.num_tokens_seen_;
}

MinMax Observer::accumulate(const MinMax&, const MinMax& now) const { return now; }

MinMax Observer::combine(const MinMax&, const MinMax& theirs, double) const { return theirs; }

double Observer::number_option(const char* key, double fallback) const {
    const auto it = args_.observer_kwargs.find(key);
    if (it == args_.observer_kwargs.end() || it->is_null()) return fallback;
    if (!it->is_number()) throw InputError(concat("observer_kwargs: ", key, " must be a number, got ", it->dump()));
    return it->get<double>();
}

bool Observer::flag_option(const char* key, bool fallback) const {
    const auto it = args_.observer_kwargs.find(key);
    if (it == args_.observer_kwargs.end() || it->is_null()) return fallback;
    if (!it->is_boolean()) throw InputError(concat("observer_kwargs: ", key, " must be true or false, got ", it->dump()));
    return it->get<bool>();
}

std::string Observer::text_option(const char* key, const std::string& fallback) const {
    const auto it = args_.observer_kwargs.find(key);
    if (it == args_.observer_kwargs.end() || it->is_null()) return fallback;
    if (!it->is_string()) throw InputError(concat("observer_kwargs: ", key, " must be a text, got ", it->dump()));
    return it->get<std::string>();
}

std::string Observer::subject() const { return (module_.name.empty() ? "An observer: " : module_.name + ": ") + base_name_; }

void Observer::require_finite(const MinMax& range, const at::Tensor& flattened) const {
    if (all_finite(range.min) && all_finite(range.max)) return;  // whatever is NaN or infinite shows in the extremes
    const int64_t num_nan = at::isnan(flattened).sum().item<int64_t>();
    const int64_t num_infinite = at::isinf(flattened).sum().item<int64_t>();
    if (num_nan + num_infinite == 0)
        throw RunError(concat(subject(), ": the range exceeds what ", c10::toString(flattened.scalar_type()), " can hold"));
    throw RunError(concat(subject(), " contains ", num_nan, " NaN and ", num_infinite, " infinite values of ", flattened.numel(),
                          ". Exclude the module, or get its data afresh."));
}

std::map<std::string, std::optional<int64_t>> observer_token_counts(std::span<const Observer* const> observers) {
    std::map<std::string, std::optional<int64_t>> counts;
    for (const Observer* observer : observers)
        if (observer->base_name() == "input") counts[observer->module_name()] = observer->num_observed_tokens();
    return counts;
}

}  // namespace calibench
