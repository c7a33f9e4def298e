#include "ui/lens/value_format.h"

#include <QCoreApplication>

namespace calibench {

bool ValueFormat::isOf(const QuantizationArgs& args) const {
    if (args.type != usual.type || args.num_bits != usual.num_bits) return false;
    if (!isFloat()) return true;
    const auto isMx = [](const QuantizationArgs& any) { return any.strategy == Strategy::Group && any.scale_dtype == DType::UInt8; };
    return isMx(args) == isMx(usual) && (args.strategy == Strategy::TensorGroup) == (usual.strategy == Strategy::TensorGroup);
}

std::vector<ValueFormat> valueFormats(ValueKind kind, const CoreServices& services) {
    std::vector<ValueFormat> formats;
    for (const int bits : {2, 3, 4, 5, 6, 7, 8}) {
        QuantizationArgs usual{.num_bits = bits, .strategy = Strategy::Channel};
        if (kind == ValueKind::Inputs) {
            usual.strategy = Strategy::Token;
            usual.dynamic = Dynamic::Yes;
        }
        formats.push_back({QCoreApplication::translate("ValueFormat", "%n bit(s)", nullptr, bits), usual});
    }
    const struct {
        const char *name, *preset;
    } floats[] = {{"FP8", "FP8_DYNAMIC"}, {"MXFP8", "MXFP8"}, {"NVFP4", "NVFP4"}, {"MXFP4", "MXFP4"}};
    for (const auto& each : floats) {
        const QuantizationScheme scheme = services.presetScheme(each.preset);
        const auto& args = kind == ValueKind::Weights ? scheme.weights : scheme.input_activations;
        if (args) formats.push_back({QString::fromLatin1(each.name), *args});
    }
    return formats;
}

}  // namespace calibench
