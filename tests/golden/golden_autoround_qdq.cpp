#include <map>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/autoround/weight_rounding.h"
#include "core/quantization/qparams.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

using RoundingFunction = WeightRounding (*)(const WeightRoundingInputs&);

const std::map<std::string, RoundingFunction> kFunctions = {
    {"quant_tensor_sym", quant_tensor_sym},
    {"quant_tensor_asym", quant_tensor_asym},
    {"quant_tensor_rtn_sym", quant_tensor_rtn_sym},
    {"quant_tensor_opt_rtn_sym", quant_tensor_opt_rtn_sym},
    {"quant_fp8_sym", quant_fp8_sym},
    {"quant_block_fp_sym", quant_block_fp_sym},
    {"progressive_quant_fp8_int4", progressive_quant_fp8_int4},
    {"nv_fp4", nv_fp4},
    {"quant_mx", quant_mx},
    {"quant_mx_opt_rtn", quant_mx_opt_rtn},
};

/// The weight that the reference was given. quant_mx_opt_rtn overwrites its argument, and what was stored is what it left behind;
/// the other MX cases hold the same weight unharmed.
at::Tensor weight_of(const GoldenSet& set, const GoldenCase& golden) {
    if (golden.args.at("fn") != "quant_mx_opt_rtn") return golden.input("weight");
    for (const GoldenCase& other : set.cases()) {
        if (other.name == "mx_fp4_default_f32") return other.input("weight");
    }
    return {};
}

WeightRoundingInputs inputs_of(const GoldenSet& set, const GoldenCase& golden) {
    const auto leaf = [&](const std::string& name) {
        at::Tensor tensor = golden.input(name);
        if (tensor.defined()) tensor.requires_grad_();
        return tensor;
    };
    WeightRoundingInputs inputs;
    inputs.weight = weight_of(set, golden);
    inputs.v = leaf("v");
    inputs.min_scale = leaf("min_scale");
    inputs.max_scale = leaf("max_scale");
    inputs.tensor_min = golden.input("tensor_min");
    inputs.tensor_max = golden.input("tensor_max");
    inputs.global_scale = golden.input("global_scale");
    inputs.bits = golden.args.at("bits");
    const nlohmann::json& group_size = golden.args.at("group_size");
    if (group_size.is_array()) inputs.block_rows = group_size[0];
    inputs.group_size = group_size.is_array() ? group_size[1] : group_size;
    if (golden.args.contains("scale_dtype")) {
        inputs.scale_dtype = to_scalar_type(dtype_from_string(golden.args.at("scale_dtype")));
    }
    inputs.scale_threshold = golden.args.value("q_scale_thresh", inputs.scale_threshold);
    return inputs;
}

}  // namespace

class GoldenAutoRoundQdq : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void quantize_dequantize_data() { set_.add_rows(); }
    void quantize_dequantize();

private:
    GoldenSet set_{"autoround_qdq"};
};

void GoldenAutoRoundQdq::quantize_dequantize() {
    const GoldenCase& golden = set_.current();
    const auto function = kFunctions.find(golden.args.at("fn").get<std::string>());
    QVERIFY2(function != kFunctions.end(), "an unknown function");
    const WeightRoundingInputs inputs = inputs_of(set_, golden);

    const WeightRounding result = function->second(inputs);
    GOLDEN_COMPARE(compare_bit_exact("qdq", result.qdq, golden.expected_tensor("qdq")));
    const std::string scale = golden.expects("scale") ? "scale" : "scale.scale";
    GOLDEN_COMPARE(compare_bit_exact("scale", result.scale, golden.expected_tensor(scale)));
    if (golden.expects("scale.bf16_to_fp8_scale")) {
        GOLDEN_COMPARE(compare_bit_exact("outer scale", result.outer_scale, golden.expected_tensor("scale.bf16_to_fp8_scale")));
    }
    const bool expects_zero_points = golden.expects("zp") && golden.expected.at("zp").is_string();
    QCOMPARE(result.zero_point.defined(), expects_zero_points);
    if (expects_zero_points) GOLDEN_COMPARE(compare_bit_exact("zero point", result.zero_point, golden.expected_tensor("zp")));

    std::vector<at::Tensor> leaves;
    std::vector<std::string> names;
    const std::map<std::string, at::Tensor> parameters = {
        {"v", inputs.v}, {"min_scale", inputs.min_scale}, {"max_scale", inputs.max_scale}};
    for (const auto& [name, leaf] : parameters) {
        if (!golden.expects("grad_" + name)) continue;
        leaves.push_back(leaf);
        names.push_back(name);
    }
    if (leaves.empty()) return;
    const at::Tensor sum = (result.qdq.to(at::kFloat) * golden.input("G")).sum();
    const auto gradients = torch::autograd::grad({sum}, leaves);
    // A narrow scale passes its gradient through its own dtype.
    const double rtol = inputs.scale_dtype == at::kFloat ? 1e-4 : 2e-3;
    for (size_t i = 0; i < leaves.size(); ++i) {
        GOLDEN_COMPARE(compare_close("gradient of " + names[i], gradients[i], golden.expected_tensor("grad_" + names[i]),
                                     names[i] == "v" ? 1e-4 : rtol, 1e-6));
    }
}

QTEST_GUILESS_MAIN(GoldenAutoRoundQdq)
#include "golden_autoround_qdq.moc"
