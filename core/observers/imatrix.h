#pragma once

#include "core/observers/mse_quant.h"

namespace calibench {

/// The range of a weight that quantizes with the least error, each column's error weighted by the mean square of its input
/// (llmcompressor/observers/imatrix.py). Feed observe_input() first, then observe the weight.
/// observer_kwargs: those of RangeSearch (maxshrink 0.95, patience 5, grid 20, norm 3), and strict (false): without usable
/// importance, throw InputError instead of weighting all columns alike.
class IMatrixMseObserver : public Observer {
public:
    IMatrixMseObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                       const nlohmann::json& observer_kwargs = nlohmann::json::object(),
                       const RangeSearch& defaults = {.maxshrink = 0.95, .patience = 5, .grid = 20, .norm = 3.0});

    [[nodiscard]] bool wants_inputs() const override { return base_name() == "weight"; }
    void observe_input(const at::Tensor& input) override;
    void reset() override;
    void merge(const Observer& other) override;

    /// Per input column: the sum of squares, float32 [columns], undefined before the first input; and of how many tokens.
    [[nodiscard]] const at::Tensor& importance_sum() const { return importance_sum_; }
    [[nodiscard]] int64_t importance_count() const { return importance_count_; }
    /// Why the last observation weighted all columns alike; empty when it did not.
    [[nodiscard]] const std::string& fallback_reason() const { return fallback_reason_; }

protected:
    MinMax measure(const at::Tensor& flattened) override;

private:
    at::Tensor usable_importance(const at::Tensor& flattened);

    RangeSearch search_;
    bool strict_;
    at::Tensor importance_sum_;
    int64_t importance_count_ = 0;
    std::string fallback_reason_;
};

/// imatrix_mse with the search range of nvfp4_expanded_mse.
class Nvfp4ExpandedIMatrixObserver final : public IMatrixMseObserver {
public:
    Nvfp4ExpandedIMatrixObserver(std::string base_name, QuantizationArgs args, std::optional<ObservedModule> module = {},
                                 const nlohmann::json& observer_kwargs = nlohmann::json::object());
};

}  // namespace calibench
