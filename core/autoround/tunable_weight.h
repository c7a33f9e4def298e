#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include "core/autoround/auto_round_options.h"
#include "core/autoround/block_tuner.h"
#include "core/autoround/sign_sgd.h"
#include "core/autoround/weight_rounding.h"
#include "core/kernels/qdq_weight.h"

namespace calibench {

/// Whether to use the fused kernels where they apply, or the tensor operations they are held to.
enum class RoundingPath { Fused, Reference };

/// What rounding needs to know beside the weight itself.
struct WeightContext {
    at::Tensor global_scale;  ///< of tensor_group, float32 [1]
    at::Tensor imatrix;       ///< float32 [in], for SignRoundV2's start; undefined: all inputs weigh the same
    RoundingPath path = RoundingPath::Fused;
};

/// SignRoundV2 has a start of its own for these: symmetric integers, NVFP4 and the MX formats.
[[nodiscard]] bool starts_from_search(const QuantizationArgs& args);

/// One Linear's weight while its rounding and its range are learned: the fake-quantized weight that the block computes with, the
/// parameters behind it, and the best ones seen.
class TunableWeight {
public:
    /// Throws InputError naming `name` where the scheme is none that can be tuned.
    TunableWeight(const std::string& name, const at::Tensor& weight, const QuantizationArgs& args, const AutoRoundOptions& options,
                  const WeightContext& context = {});

    /// A leaf that requires grad. Its values change with step(), the tensor does not.
    [[nodiscard]] const at::Tensor& qdq() const { return state_.qdq; }
    [[nodiscard]] const at::Tensor& v() const { return v_[current_]; }

    [[nodiscard]] bool is_integer() const { return args_.type == QuantizationType::Int; }
    /// Stepped by the fused kernels, not operation by operation.
    [[nodiscard]] bool is_fused() const { return fused_ != nullptr; }

    /// Begins with ranges that suit the inputs, and with levels by error feedback (error_feedback.h) instead of the nearest: those of
    /// `weight`, float32 [out, in] on the CPU, which this one is to stand in for. For integers.
    void begin_with_feedback(const at::Tensor& weight, const at::Tensor& products);
    /// The current parameters are the best so far.
    void remember();
    /// One step of signed gradient descent down d loss / d qdq; an undefined gradient (an expert that saw no token) leaves all as it is.
    void step(const at::Tensor& grad_qdq);
    /// The learning rates of the next iteration; also where there was no gradient.
    void advance_rates();

    /// No step follows: lets go of what only steps need, more than the weight itself several times. Nothing but best() may be asked for then.
    void end();
    /// What the best parameters amount to.
    [[nodiscard]] TunedWeight best() const;

private:
    using RoundingFunction = WeightRounding (*)(const WeightRoundingInputs&);

    [[nodiscard]] static RoundingFunction function_for(const std::string& name, const QuantizationArgs& args);
    [[nodiscard]] WeightRoundingInputs rounding_inputs(const at::Tensor& v, const at::Tensor& min_scale,
                                                       const at::Tensor& max_scale) const;
    void refresh();
    void shrink_ranges(const at::Tensor& energy);
    void search_start(const at::Tensor& imatrix);
    void reference_step(at::Tensor& v_next, const at::Tensor& grad_qdq);
    /// Which way to step down gradients[i]: its own, or momentum's.
    [[nodiscard]] const at::Tensor& direction(const std::vector<at::Tensor>& gradients, size_t i);
    [[nodiscard]] TunedWeight best_integers(const WeightRoundingInputs& inputs) const;
    [[nodiscard]] TunedWeight best_floats(const WeightRoundingInputs& inputs) const;

    QuantizationArgs args_;
    RoundingFunction reference_;
    at::ScalarType checkpoint_dtype_;
    bool tune_ranges_;
    float most_scale_ = 1;  ///< min_scale and max_scale end there
    LinearDecay rate_, minmax_rate_;
    double momentum_;
    WeightRoundingInputs inputs_;  ///< all but the parameters
    QdqWeight state_;
    const QdqKernels* fused_ = nullptr;  ///< null: tensor operations
    // Grouped as in weight_rounding.h. The best v is not copied: the next step writes beside it.
    std::array<at::Tensor, 2> v_;
    int current_ = 0;
    int best_ = 0;
    at::Tensor best_min_scale_, best_max_scale_;
    std::array<at::Tensor, 3> velocities_;  ///< of v, min_scale, max_scale; with momentum only
};

}  // namespace calibench
