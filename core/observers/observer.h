#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include <ATen/core/Tensor.h>

#include "core/quantization/qparams.h"

namespace calibench {

/// What an observer knows of the module it watches: its name, for messages, and qparams that exist already.
struct ObservedModule {
    std::string name;
    at::Tensor global_scale;  ///< float32 [1]; undefined: derived from what is observed
    at::Tensor g_idx;         ///< [columns], see flatten_for_calibration
};

/// Smallest and largest value per qparam, in the observed tensor's dtype.
struct MinMax {
    at::Tensor min;
    at::Tensor max;
};

/// Derives scale and zero point from the tensors that pass by (llmcompressor/observers/base.py). One observer watches one
/// tensor (weight, input, output, q, k or v) of one module. One thread feeds it; statistics and counts may be read from any
/// thread meanwhile: a new observation replaces the tensors, it never writes into them.
class Observer {
public:
    /// `observer_kwargs` adds to and overrides args.observer_kwargs.
    Observer(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
             const nlohmann::json& observer_kwargs = nlohmann::json::object());
    virtual ~Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    /// Counts tokens, then observes: the latest (scale, zero_point).
    ScaleAndZeroPoint forward(const at::Tensor& observed, const at::Tensor& g_idx = {});
    /// Observes when a tensor is given, then returns the qparams of all seen so far; post_calculate_qparams() follows.
    /// Throws RunError when nothing has been observed.
    ScaleAndZeroPoint get_qparams(const at::Tensor& observed = {}, const at::Tensor& g_idx = {});
    /// Observes over any dimensions instead of those of the strategy; in the result they keep size 1.
    ScaleAndZeroPoint calculate_qparams(const at::Tensor& observed, at::IntArrayRef reduce_dims);
    /// Flattens and updates the statistics; no qparams. Empty tensors are ignored, and so is a weight after its first time
    /// (until reset()). Throws RunError for values that are NaN or infinite.
    void observe(const at::Tensor& observed, const at::Tensor& g_idx = {});
    /// Whether observe_input() serves a purpose.
    [[nodiscard]] virtual bool wants_inputs() const { return false; }
    /// For a weight: an input that the module multiplies with it. To be fed before the weight is observed.
    virtual void observe_input(const at::Tensor&) {}
    /// The part of observe() behind flatten_for_calibration: (num_observations, *qparam_shape, group_size).
    void update_statistics(const at::Tensor& flattened);
    /// Forgets everything seen, and a shared global scale.
    virtual void reset();

    /// For a 2-D tensor (batch*seq, features), the shape an expert's layer sees, adds its rows to num_observed_tokens(); any
    /// other rank leaves that count as it was. num_tokens_seen() grows at any rank.
    void record_observed_tokens(const at::Tensor& batch_tensor);
    [[nodiscard]] std::optional<int64_t> num_observed_tokens() const;
    /// Tokens at any rank: the product of all dimensions but the last. Feeds the plots.
    [[nodiscard]] int64_t num_tokens_seen() const;

    [[nodiscard]] const std::string& base_name() const { return base_name_; }
    [[nodiscard]] const std::string& module_name() const { return module_.name; }
    [[nodiscard]] const QuantizationArgs& args() const { return args_; }

    /// observer_kwargs by name, or the default. Throws InputError that names the key when the type is wrong.
    [[nodiscard]] double number_option(const char* key, double fallback) const;
    [[nodiscard]] bool flag_option(const char* key, bool fallback) const;
    [[nodiscard]] std::string text_option(const char* key, const std::string& fallback) const;

    [[nodiscard]] bool has_statistics() const { return statistics().min.defined(); }
    /// Both statistics of one moment, in the qparams' shape; undefined before the first observation.
    [[nodiscard]] MinMax statistics() const;
    [[nodiscard]] at::Tensor min_vals() const { return statistics().min; }
    [[nodiscard]] at::Tensor max_vals() const { return statistics().max; }

    /// tensor_group: fp8_max * fp4_max / absmax of all values; undefined for the other strategies and before any observation.
    [[nodiscard]] at::Tensor global_scale() const;
    /// Takes this global scale instead of its own: fused projections share one (fused_groups.h).
    void share_global_scale(const at::Tensor& global_scale) { shared_global_scale_ = global_scale; }

    /// Takes in another observer's statistics, as if this one had seen its tensors too: static min/max by union, moving
    /// averages by mean, counts by sum. Throws InputError unless both are of one type and shape.
    virtual void merge(const Observer& other);

protected:
    /// The range of one flattened observation: what an observer type defines.
    virtual MinMax measure(const at::Tensor& flattened) = 0;
    /// Statistics after `now` was observed.
    virtual MinMax accumulate(const MinMax& past, const MinMax& now) const;
    /// Statistics of two observers together; `their_share` is the part of all merged observers that `theirs` stands for.
    virtual MinMax combine(const MinMax& mine, const MinMax& theirs, double their_share) const;
    /// The range that qparams are made of, where it is not the statistics themselves.
    [[nodiscard]] virtual MinMax range_for_qparams(const MinMax& statistics) const { return statistics; }
    /// A hook for what has to happen once qparams were made.
    virtual void post_calculate_qparams() {}

    /// "model.layers.0.mlp.up_proj: weight", for messages.
    [[nodiscard]] std::string subject() const;

private:
    void require_finite(const MinMax& range, const at::Tensor& flattened) const;

    std::string base_name_;
    QuantizationArgs args_;
    ObservedModule module_;
    at::Tensor shared_global_scale_;

    mutable std::mutex mutex_;  // guards what follows
    MinMax statistics_;
    int64_t merged_observers_ = 1;
    std::optional<int64_t> num_observed_tokens_;
    int64_t num_tokens_seen_ = 0;
};

/// Tokens that each module's input observer counted; unset where it saw no 2-D input. An expert without tokens shows here.
[[nodiscard]] std::map<std::string, std::optional<int64_t>> observer_token_counts(std::span<const Observer* const> observers);

}  // namespace calibench
