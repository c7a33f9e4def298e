#pragma once

#include <string>

#include "core/analysis/input_inspection.h"
#include "core/observers/activation_sketch.h"

namespace calibench {

/// Quantizes the inputs of a module as far as their sketch tells.
class InputQuantizer {
public:
    /// `calls`: min and max of each observation that a static scale would be made of; undefined when there were none, as for experts that
    /// saw their own tokens only. `scale_dtype`: that static scales are stored in.
    InputQuantizer(std::string module, ActivationSketch sketch, at::Tensor calls, at::ScalarType scale_dtype)
        : module_(std::move(module)), sketch_(std::move(sketch)), calls_(std::move(calls)), scale_dtype_(scale_dtype) {}

    /// Throws InputError for what the sketch cannot answer.
    [[nodiscard]] InputAnswer answer(const QuantizationArgs& args) const;

private:
    [[nodiscard]] InputAnswer answer_static(const QuantizationArgs& args) const;
    [[nodiscard]] InputAnswer answer_dynamic(const QuantizationArgs& args) const;
    [[nodiscard]] InputAnswer answer_measured(const std::string& key) const;
    [[nodiscard]] ScaleAndZeroPoint observed_scale(const QuantizationArgs& args) const;
    void count_clipped(double low, double high, InputAnswer& answer) const;
    [[nodiscard]] InputAnswer with_noise(NoiseBounds noise, double levels_moved, InputAnswer answer, std::optional<double> rounding = {}) const;

    std::string module_;
    ActivationSketch sketch_;
    at::Tensor calls_;
    at::ScalarType scale_dtype_;
};

}  // namespace calibench
