#include "core/observers/imatrix.h"

#include <limits>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/observers/mse.h"

namespace calibench {

IMatrixMseObserver::IMatrixMseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                                       const nlohmann::json& observer_kwargs, const RangeSearch& defaults)
    : Observer(std::move(base_name), std::move(args), std::move(module), observer_kwargs),
      search_(defaults.overridden_by(*this)),
      strict_(flag_option("strict", false)) {}

void IMatrixMseObserver::observe_input(const at::Tensor& input) {
    if (input.numel() == 0) return;
    const at::NoGradGuard no_grad;
    const at::Tensor tokens = input.detach().to(at::kFloat);
    std::vector<int64_t> token_dims(size_t(tokens.dim() - 1));
    for (size_t dim = 0; dim < token_dims.size(); ++dim) token_dims[dim] = int64_t(dim);
    const at::Tensor squares = token_dims.empty() ? tokens.pow(2) : tokens.pow(2).sum(token_dims);
    importance_sum_ = importance_sum_.defined() ? importance_sum_ + squares : squares;
    importance_count_ += tokens.numel() / tokens.size(-1);
}

void IMatrixMseObserver::reset() {
    Observer::reset();
    importance_sum_ = at::Tensor();
    importance_count_ = 0;
    fallback_reason_.clear();
}

void IMatrixMseObserver::merge(const Observer& other) {
    Observer::merge(other);
    const auto& theirs = static_cast<const IMatrixMseObserver&>(other);
    if (!theirs.importance_sum_.defined()) return;
    importance_sum_ = importance_sum_.defined() ? importance_sum_ + theirs.importance_sum_ : theirs.importance_sum_;
    importance_count_ += theirs.importance_count_;
}

MinMax IMatrixMseObserver::measure(const at::Tensor& flattened) {
    fallback_reason_.clear();
    at::Tensor importance = usable_importance(flattened);
    if (!fallback_reason_.empty()) {
        if (strict_) throw InputError(concat(subject(), ": imatrix_mse: ", fallback_reason_));
        importance = at::Tensor();
    }
    if (importance.defined()) importance = importance / (importance.mean() + double(std::numeric_limits<float>::min()));
    return search_weighted_range(flattened, args(), search_, importance);
}

at::Tensor IMatrixMseObserver::usable_importance(const at::Tensor& flattened) {
    const auto unusable = [this](std::string reason) {
        fallback_reason_ = std::move(reason);
        return at::Tensor();
    };
    if (base_name() != "weight") return unusable("only supported for weight observers");
    if (args().strategy == Strategy::Tensor) return unusable("TENSOR strategy not supported");
    if (importance_count_ == 0) return unusable("no importance data available");
    const at::Tensor importance = (importance_sum_ / float(importance_count_)).to(flattened.device());
    if (!at::isfinite(importance).all().item<bool>()) return unusable("contains non-finite values");
    if (importance.eq(0).all().item<bool>()) return unusable("all zeros");

    int64_t columns = 0;
    if (args().strategy == Strategy::Channel) columns = flattened.size(-1);
    else if (args().strategy == Strategy::Group || args().strategy == Strategy::TensorGroup) columns = flattened.size(2) * flattened.size(3);
    else return unusable(concat("unsupported strategy ", to_string(*args().strategy)));
    if (importance.numel() != columns) return unusable(concat("size mismatch: expected ", columns, ", got ", importance.numel()));
    return importance;
}

Nvfp4ExpandedIMatrixObserver::Nvfp4ExpandedIMatrixObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module,
                                                           const nlohmann::json& observer_kwargs)
    : IMatrixMseObserver(std::move(base_name), std::move(args), std::move(module), observer_kwargs, nvfp4_expanded_search) {}

}  // namespace calibench
