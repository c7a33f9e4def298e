#include <cmath>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/autoround/block_tuner.h"
#include "core/autoround/sign_sgd.h"
#include "core/autoround/weight_rounding.h"
#include "core/quantization/qparams.h"
#include "tests/core/autoround/eager_llama_block.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

/// One reference trace, ready to be run again.
struct Trace {
    explicit Trace(const GoldenCase& golden) : layers(golden.args.at("layers").get<std::vector<std::string>>()) {
        std::map<std::string, at::Tensor> parameters;
        for (const std::string& name : golden.input_names()) {
            if (name.rfind("param.", 0) == 0) parameters[name.substr(6)] = golden.input(name);
        }
        const EagerLlamaBlock::Shape shape{golden.args.at("num_attention_heads"), golden.args.at("num_key_value_heads"),
                                           golden.args.at("head_dim"), golden.args.at("rms_norm_eps")};
        block = std::make_unique<EagerLlamaBlock>(shape, parameters, golden.input("cos"), golden.input("sin"),
                                                  golden.input("attention_mask"));
        samples.inputs = golden.input("x");
        samples.outputs = golden.input("ref_output");

        QuantizationArgs scheme;
        scheme.num_bits = golden.args.at("bits");
        scheme.symmetric = golden.args.at("sym");
        scheme.group_size = golden.args.at("group_size");
        scheme.strategy = Strategy::Group;
        for (const std::string& layer : layers) schemes[layer] = scheme;

        options.iters = golden.args.at("iters");
        options.batch_size = golden.args.at("batch_size");
        options.lr = golden.args.at("lr");
        options.minmax_lr = golden.args.at("minmax_lr");
        options.scale_dtype = dtype_from_string(golden.args.at("scale_dtype"));
        options.checkpoint_dtype = options.scale_dtype;
    }

    std::vector<std::string> layers;
    std::unique_ptr<EagerLlamaBlock> block;
    BlockSamples samples;
    std::map<std::string, QuantizationArgs> schemes;
    AutoRoundOptions options;
};

/// The parameters of every layer at their start, as leaves, and what the block computes with them.
struct FirstIteration {
    explicit FirstIteration(Trace& trace) {
        std::vector<at::Tensor> leaves;
        for (const std::string& layer : trace.layers) {
            Linear& linear = trace.block->linear(layer);
            const QuantizationArgs& scheme = trace.schemes.at(layer);
            WeightRoundingInputs inputs;
            inputs.weight = linear.weight;
            inputs.bits = scheme.num_bits;
            inputs.group_size = *scheme.group_size;
            inputs.scale_dtype = to_scalar_type(trace.options.scale_dtype);
            inputs.scale_threshold = default_scale_threshold(inputs.scale_dtype);
            inputs.v = at::zeros({linear.weight.numel() / inputs.group_size, inputs.group_size}).requires_grad_();
            inputs.min_scale = at::ones({inputs.v.size(0)}).requires_grad_();
            inputs.max_scale = at::ones({inputs.v.size(0)}).requires_grad_();
            linear.weight = (scheme.symmetric ? quant_tensor_sym(inputs) : quant_tensor_asym(inputs)).qdq;
            for (const at::Tensor& leaf : {inputs.v, inputs.min_scale, inputs.max_scale}) leaves.push_back(leaf);
        }
        const at::Tensor loss = at::mse_loss(trace.block->forward(trace.samples.inputs, {}), trace.samples.outputs);
        gradients = torch::autograd::grad({loss * 1000}, leaves);
    }

    std::vector<at::Tensor> gradients;  ///< v, min_scale, max_scale of each layer
};

}  // namespace

class GoldenAutoRoundBlock : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void learning_rates_data() { set_.add_rows(); }
    void learning_rates();
    void first_gradients_data() { set_.add_rows(); }
    void first_gradients();
    void whole_trace_data() { set_.add_rows(); }
    void whole_trace();

private:
    GoldenSet set_{"autoround_block"};
};

void GoldenAutoRoundBlock::learning_rates() {
    const GoldenCase& golden = set_.current();
    LinearDecay decay(golden.args.at("lr"), golden.args.at("iters"));
    std::vector<double> rates;
    for (int64_t i = 0; i < golden.args.at("iters").get<int64_t>(); ++i, decay.advance()) rates.push_back(decay.rate());
    GOLDEN_COMPARE(compare_bit_exact("lr", at::tensor(rates, at::kDouble), golden.expected_tensor("lr")));
}

void GoldenAutoRoundBlock::first_gradients() {
    const GoldenCase& golden = set_.current();
    Trace trace(golden);
    const FirstIteration first(trace);
    // A gradient is a sum whose terms may cancel, so the allowance is relative to the tensor's largest; a narrow scale passes its
    // own through its dtype.
    const auto allowance = [](const at::Tensor& expected, double relative) { return relative * expected.abs().max().item<double>(); };
    const double relative = trace.options.scale_dtype == DType::Float32 ? 1e-4 : 2e-3;
    for (size_t i = 0; i < trace.layers.size(); ++i) {
        const std::string& layer = trace.layers[i];
        const at::Tensor& by_v = first.gradients[3 * i];
        GOLDEN_COMPARE(compare_bit_exact(layer + " sign of dV", by_v.sign().to(at::kChar),
                                         golden.expected_tensor("grad_V_sign_iter0." + layer)));
        const at::Tensor by_min = golden.expected_tensor("grad_min_scale_iter0." + layer);
        const at::Tensor by_max = golden.expected_tensor("grad_max_scale_iter0." + layer);
        GOLDEN_COMPARE(compare_close(layer + " d min_scale", first.gradients[3 * i + 1], by_min, 0, allowance(by_min, relative)));
        GOLDEN_COMPARE(compare_close(layer + " d max_scale", first.gradients[3 * i + 2], by_max, 0, allowance(by_max, relative)));
        if (!golden.expects("grad_V_iter0." + layer)) continue;
        const at::Tensor expected_by_v = golden.expected_tensor("grad_V_iter0." + layer);
        GOLDEN_COMPARE(compare_close(layer + " dV", by_v, expected_by_v, 0, allowance(expected_by_v, 1e-5)));
        at::Tensor v = at::zeros_like(by_v);
        sign_sgd_step(v, by_v, static_cast<float>(*trace.options.lr));
        GOLDEN_COMPARE(compare_bit_exact(layer + " V after a step", v, golden.expected_tensor("V_after_step0." + layer)));
    }
}

void GoldenAutoRoundBlock::whole_trace() {
    const GoldenCase& golden = set_.current();
    Trace trace(golden);
    RunControl control;
    const TuningResult result = tune_block(*trace.block, trace.samples, trace.schemes, trace.options, control);

    const at::Tensor expected_loss = golden.expected_tensor("loss");
    const at::Tensor loss = at::tensor(result.loss_mse, at::kDouble);
    const at::Tensor apart = (loss - expected_loss).abs() > 1e-5 * expected_loss.abs();
    const int64_t agreeing = apart.any().item<bool>() ? apart.to(at::kInt).argmax().item<int64_t>() : loss.numel();
    if (agreeing < loss.numel()) {
        // Another matrix product rounds differently, so the sign of a gradient near zero may flip and lead elsewhere (README of the
        // golden set: at iteration 8 in one case). That happens late, to a few signs, and ends at about the same loss.
        QVERIFY2(agreeing >= 4, qPrintable(QString("losses part at iteration %1").arg(agreeing)));
        GOLDEN_COMPARE(compare_close("last loss", result.loss_mse.back(), expected_loss[-1].item<double>(), 0.06, 0));
        return;
    }
    QCOMPARE(result.best_iteration, golden.expected.at("best_iter").get<int64_t>());
    const int64_t bits = golden.args.at("bits");
    for (const std::string& layer : trace.layers) {
        const TunedWeight& tuned = result.weights.at(layer);
        const at::Tensor qdq = trace.block->linear(layer).weight;
        GOLDEN_COMPARE(compare_bit_exact(layer + " min_scale", tuned.min_scale, golden.expected_tensor("min_scale." + layer)));
        GOLDEN_COMPARE(compare_bit_exact(layer + " max_scale", tuned.max_scale, golden.expected_tensor("max_scale." + layer)));
        GOLDEN_COMPARE(compare_bit_exact(layer + " scale", tuned.qparams.scale.reshape({-1, 1}), golden.expected_tensor("scale." + layer)));
        if (golden.expects("V." + layer)) {
            const at::Tensor v = golden.expected_tensor("V." + layer);
            GOLDEN_COMPARE(compare_bit_exact(layer + " V", tuned.v.reshape(v.sizes()), v));
        }
        if (golden.expects("zp." + layer)) {
            const at::Tensor stored = golden.expected_tensor("zp." + layer) - std::ldexp(1.0, static_cast<int>(bits) - 1);
            GOLDEN_COMPARE(compare_bit_exact(layer + " zero point", tuned.qparams.zero_point.reshape({-1, 1}), stored.to(at::kChar)));
        }
        // The reference multiplies in float32, a checkpoint is read in its scale's dtype: one rounding apart.
        const double rtol = trace.options.scale_dtype == DType::Float32 ? 0 : std::ldexp(1.0, -11);
        if (golden.expects("qdq." + layer)) {
            GOLDEN_COMPARE(compare_close(layer + " weight", qdq, golden.expected_tensor("qdq." + layer), rtol, 1e-7));
        } else {
            const at::Tensor mean = golden.expected_tensor("qdq_absmean." + layer);
            GOLDEN_COMPARE(compare_close(layer + " mean |weight|", qdq.abs().mean(), mean, 1e-4, 0));
        }
    }
}

QTEST_GUILESS_MAIN(GoldenAutoRoundBlock)
#include "golden_autoround_block.moc"
