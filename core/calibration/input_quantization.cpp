#include "core/calibration/input_quantization.h"

#include <ATen/ATen.h>

#include "core/quantization/fake_quantize.h"

namespace calibench {

void quantize_inputs(Linear& linear, const QuantizationArgs& args, const QParams& qparams) {
    linear.transform_input = [args, qparams](const at::Tensor& input) {
        const at::Tensor values = input.detach();
        QParams used = qparams;
        if (args.dynamic != Dynamic::No) {
            const auto [scale, zero_point] = compute_dynamic_qparams(values, args, qparams.global_scale);
            used = {scale, zero_point, qparams.global_scale};
        }
        const at::Tensor rounded = fake_quantize(values, used, args).to(input.scalar_type());
        return input.requires_grad() ? input + (rounded - values) : rounded;
    };
}

}  // namespace calibench
