#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/quantization/qparams.h"

namespace calibench {

/// What an observer knows of the module it watches: qparams that exist already.
struct ObservedModule {
    std::string name;
    at::Tensor global_scale;  ///< float32 [1], shared by fused projections; undefined where there is none
    at::Tensor g_idx;
};

/// Derives scale and zero point from the tensors that pass by (llmcompressor/observers/base.py). One observer watches one
/// tensor (weight, input, output, q, k or v) of one module; it is used by one thread at a time.
class Observer {
public:
    Observer(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
             nlohmann::json observer_kwargs = nlohmann::json::object());
    virtual ~Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    /// Counts tokens, then observes: the latest (scale, zero_point).
    ScaleAndZeroPoint forward(const at::Tensor& observed, const at::Tensor& g_idx = {});
    /// Observes when a tensor is given, then returns the qparams of all seen so far; post_calculate_qparams() follows.
    ScaleAndZeroPoint get_qparams(const at::Tensor& observed = {}, const at::Tensor& g_idx = {});
    /// Flattens and updates min_vals/max_vals; empty tensors are ignored. Does not compute qparams.
    void observe(const at::Tensor& observed, const at::Tensor& g_idx = {});
    /// Forgets everything.
    virtual void reset();

    /// The part an observer type defines: qparams of what is observed; reduced dimensions keep size 1.
    virtual ScaleAndZeroPoint calculate_qparams(const at::Tensor& observed, at::IntArrayRef reduce_dims);

    /// For a 2-D tensor (batch*seq, features), the shape an expert's layer sees, adds its rows to the count; any other rank
    /// leaves the count as it was (unset at first).
    void record_observed_tokens(const at::Tensor& batch_tensor);
    [[nodiscard]] std::optional<int64_t> num_observed_tokens() const { return num_observed_tokens_; }
    /// Tokens at any rank: the product of all dimensions but the last. Feeds the plots.
    [[nodiscard]] int64_t num_tokens_seen() const { return num_tokens_seen_; }

    [[nodiscard]] const std::string& base_name() const { return base_name_; }
    [[nodiscard]] const QuantizationArgs& args() const { return args_; }
    /// Statistics so far, in the qparams' shape; undefined before the first observation.
    [[nodiscard]] const at::Tensor& min_vals() const { return min_vals_; }
    [[nodiscard]] const at::Tensor& max_vals() const { return max_vals_; }
    /// tensor_group: qparams of the whole tensor's range; undefined for the other strategies.
    [[nodiscard]] at::Tensor global_scale() const;

    /// Takes in another observer's statistics, as if this one had seen its tensors too (static: min/max; moving average:
    /// mean; counts: sum). Both must be of one type and shape.
    virtual void merge(const Observer& other);

protected:
    struct MinMax {
        at::Tensor min;
        at::Tensor max;
    };
    /// New statistics from one flattened observation (num_observations, *qparam_shape, group_size).
    virtual void update_statistics(const at::Tensor& flattened) = 0;
    virtual void post_calculate_qparams() {}

    std::string base_name_;
    QuantizationArgs args_;
    std::optional<ObservedModule> module_;
    nlohmann::json kwargs_;
    at::Tensor min_vals_, max_vals_;
    at::Tensor global_min_vals_, global_max_vals_;
    std::optional<int64_t> num_observed_tokens_;
    int64_t num_tokens_seen_ = 0;
};

using ObserverFactory = std::function<std::unique_ptr<Observer>(std::string base_name, QuantizationArgs args,
                                                                std::optional<ObservedModule> module, nlohmann::json kwargs)>;

/// Registered names: memoryless_minmax, static_minmax, minmax, ... Throws InputError for an unknown one, naming the nearest.
[[nodiscard]] std::unique_ptr<Observer> make_observer(const std::string& name, std::string base_name, QuantizationArgs args,
                                                      std::optional<ObservedModule> module = {},
                                                      nlohmann::json kwargs = nlohmann::json::object());
[[nodiscard]] std::vector<std::string> observer_names();
void register_observer(const std::string& name, ObserverFactory factory);

/// The observer a recipe's name means for a weight: minmax and static_minmax act as memoryless_minmax, mse as memoryless_mse.
[[nodiscard]] std::string weight_observer_name(const std::string& name);

}  // namespace calibench
