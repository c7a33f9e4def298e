#pragma once

#include <map>
#include <string>

#include "core/calibration/run_plan.h"
#include "core/observers/activation_sketch.h"

namespace calibench {

/// What a run remembers of the inputs of one block's projections. Projections of one input (q, k and v) share what is known of it.
struct BlockSketches {
    struct Place {
        std::string channels, sketch;  ///< keys of the maps below: the module that saw the input first
    };
    std::map<std::string, Place> modules;
    std::map<std::string, ChannelSketch> channels;
    /// All experts of a block share one, "...experts.*.gate_proj": it is of their inputs together.
    std::map<std::string, ActivationSketch> sketches;
    /// float32 [calls, 2] of experts that saw every token, for static scales: min and max of each call.
    std::map<std::string, at::Tensor> expert_ranges;
};

/// Gathers them while the float block runs.
class InputSketches {
public:
    explicit InputSketches(const RunPlan& plan);

    /// An input [.., channels] of `module`, as the model routes it. Its min and max.
    ActivationSketcher::Range see(const std::string& module, const at::Tensor& input);
    /// An input of an expert that is given all tokens.
    void see_all_tokens(const std::string& expert, const at::Tensor& input);
    [[nodiscard]] BlockSketches finish();

    /// Every so many-th token of an input is looked at more closely.
    [[nodiscard]] static int64_t sample_stride(const RunPlan& plan);

private:
    [[nodiscard]] BlockSketches::Place place_of(const std::string& module, const at::Tensor& input);

    const RunPlan& plan_;
    int64_t sample_stride_;
    BlockSketches sketches_;
    std::map<std::string, ActivationSketcher> sketchers_;
    c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl> last_input_;  ///< told apart by identity; not kept alive
    BlockSketches::Place last_place_;
    ActivationSketcher::Range last_range_{};
};

}  // namespace calibench
