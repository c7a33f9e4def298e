#include "core/quantization/activation_quantizer.h"

#include <ATen/ATen.h>

#include "core/quantization/fake_quantize.h"

namespace calibench {

ActivationQuantizer make_activation_quantizer(const QuantizationArgs& args, const QParams& qparams) {
    return [args, qparams](const at::Tensor& activation) {
        const at::Tensor values = activation.detach();
        QParams used = qparams;
        if (args.dynamic != Dynamic::No) {
            const ScaleAndZeroPoint found = compute_dynamic_qparams(values, args, qparams.global_scale);
            used.scale = found.scale;
            used.zero_point = found.zero_point;
        }
        const at::Tensor rounded = fake_quantize(values, used, args).to(activation.scalar_type());
        return activation.requires_grad() ? activation + (rounded - values) : rounded;
    };
}

}  // namespace calibench
