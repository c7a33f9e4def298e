#include <QtTest/QTest>

#include <ATen/ATen.h>

#include "core/autoround/block_tuner.h"
#include "core/autoround/opt_rtn.h"
#include "core/models/block_chain.h"
#include "core/models/safetensors.h"
#include "core/quantization/quantization_scheme.h"
#include "tests/core/autoround/eager_llama_block.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

struct Case {
    const char* name;
    std::vector<int> layers;
    QuantizationArgs weights;
    AutoRoundOptions options;
};

QuantizationArgs integers(int bits) {
    QuantizationArgs args;
    args.num_bits = bits;
    args.strategy = Strategy::Group;
    args.group_size = 32;
    return args;
}

Case v2(const char* name, const QuantizationArgs& weights, std::optional<double> lr = {}) {
    Case test{name, {0}, weights, {}};
    test.options.enable_alg_ext = true;
    test.options.leave_out_outliers = weights.num_bits < 4;
    test.options.lr = lr;
    return test;
}

Case at_rate(const char* name, std::vector<int> layers, const QuantizationArgs& weights, double lr) {
    Case test{name, std::move(layers), weights, {}};
    test.options.lr = lr;
    return test;
}

const std::vector<Case>& cases() {
    static const std::vector<Case> all = {
        v2("v2_w2", integers(2)),
        v2("v2_w4", integers(4)),
        v2("v2_nvfp4", *preset_scheme("NVFP4A16", {"Linear"}).weights, 0.02),
        v2("v2_mxfp4", *preset_scheme("MXFP4A16", {"Linear"}).weights, 0.05),
        at_rate("lfq", {1}, integers(3), 0.02),
        at_rate("static", {0}, integers(4), 0.02),
        at_rate("nblocks", {0, 1}, integers(3), 0.02),
    };
    return all;
}

}  // namespace

/// Against auto-round's own quantize_block: tests/data/autoround/make_blocks.py.
class TestTuningOptions : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void tunes_as_auto_round_data();
    void tunes_as_auto_round();
    void next_token_loss_is_the_cross_entropy();
    void imatrix_moves_the_start();
    void outputs_can_be_made_when_they_are_needed();
    void projections_of_one_matrix_share_their_inputs_range();

private:
    [[nodiscard]] at::Tensor tensor(const std::string& name) const { return file_.tensor(name).clone(); }
    [[nodiscard]] std::unique_ptr<BlockChain> layers(const std::vector<int>& indices) const;
    [[nodiscard]] BlockSamples samples_for(BlockChain& block) const;
    /// FP8 with the scale of what passes.
    [[nodiscard]] std::map<std::string, StaticInput> static_inputs_of(BlockChain& block, const std::vector<std::string>& modules) const;
    [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) const {
        return at::matmul(RmsNorm{tensor("norm.weight"), 1e-5}.forward(hidden), tensor("head.weight").t());
    }

    SafetensorsFile file_{CALIBENCH_TEST_DATA "/autoround/blocks.safetensors"};
};

/// Linears are named "layer1.mlp.up_proj".
std::unique_ptr<BlockChain> TestTuningOptions::layers(const std::vector<int>& indices) const {
    std::vector<std::unique_ptr<DecoderBlock>> blocks;
    for (const int index : indices) {
        const std::string prefix = "layer" + std::to_string(index) + ".";
        std::map<std::string, at::Tensor> parameters;
        for (const auto& [name, entry] : file_.entries())
            if (name.rfind(prefix, 0) == 0) parameters[name.substr(prefix.size())] = tensor(name);
        blocks.push_back(std::make_unique<EagerLlamaBlock>(EagerLlamaBlock::Shape{2, 1, 16, 1e-5}, parameters, tensor("cos"), tensor("sin"), tensor("mask")));
        for (Linear* linear : blocks.back()->linears()) linear->name = prefix + linear->name;
    }
    return std::make_unique<BlockChain>(std::move(blocks));
}

BlockSamples TestTuningOptions::samples_for(BlockChain& block) const {
    const at::NoGradGuard no_grad;
    std::map<std::string, InputEnergy> energies;
    for (Linear* linear : block.linears())
        linear->on_input = [&energy = energies[linear->name]](const at::Tensor& input) { energy.observe(input); };
    BlockSamples samples{tensor("x"), block.forward(tensor("x"), {}), {}};
    for (Linear* linear : block.linears()) {
        linear->on_input = nullptr;
        samples.imatrix[linear->name] = energies[linear->name].imatrix();
    }
    return samples;
}

std::map<std::string, StaticInput> TestTuningOptions::static_inputs_of(BlockChain& block, const std::vector<std::string>& modules) const {
    const at::NoGradGuard no_grad;
    const QuantizationArgs args = *preset_scheme("FP8", {"Linear"}).input_activations;
    std::map<std::string, StaticInput> inputs;
    for (Linear* linear : block.linears()) {
        if (std::find(modules.begin(), modules.end(), linear->name) == modules.end()) continue;
        linear->on_input = [&, linear](const at::Tensor& input) { inputs[linear->name] = {args, (input.abs().max() / 448.0).reshape(1)}; };
    }
    (void)block.forward(tensor("x"), {});
    for (Linear* linear : block.linears()) linear->on_input = nullptr;
    return inputs;
}

void TestTuningOptions::tunes_as_auto_round_data() {
    QTest::addColumn<int>("index");
    for (size_t i = 0; i < cases().size(); ++i) QTest::newRow(cases()[i].name) << static_cast<int>(i);
}

void TestTuningOptions::tunes_as_auto_round() {
    QFETCH(int, index);
    const Case& test = cases()[static_cast<size_t>(index)];
    const std::string name = test.name;
    const auto block = layers(test.layers);
    BlockSamples samples = samples_for(*block);
    if (name == "lfq") samples.next_tokens = NextTokens{tensor("labels"), [this](const at::Tensor& hidden) { return logits(hidden); }};
    std::map<std::string, QuantizationArgs> schemes;
    for (const Linear* linear : block->linears()) schemes[linear->name] = test.weights;
    AutoRoundOptions options = test.options;
    options.iters = 8;
    if (name == "static") {
        samples.static_inputs = static_inputs_of(*block, {"layer0.self_attn.o_proj", "layer0.mlp.down_proj"});
        options.minmax_lr = 0.005;
    }
    RunControl control;
    const TuningResult result = tune_block(*block, samples, schemes, options, control);

    const at::Tensor expected = tensor(name + ".loss");
    QCOMPARE(result.best_iteration, tensor(name + ".best").item<int64_t>());
    for (size_t i = 0; i < result.loss_mse.size(); ++i) {
        const double want = expected[static_cast<int64_t>(i)].item<double>();
        QVERIFY2(std::abs(result.loss_mse[i] - want) <= 2e-5 * want, qPrintable(QString("iteration %1: %2, not %3").arg(i).arg(result.loss_mse[i]).arg(want)));
    }
    QCOMPARE(result.input_factors.size(), samples.static_inputs.size());
    for (const auto& [module, factor] : result.input_factors)
        QCOMPARE(static_cast<float>(factor), tensor(name + "." + module + ".act_max_scale").item<float>());
    for (const Linear* linear : block->linears()) {
        const TunedWeight& tuned = result.weights.at(linear->name);
        // Of an integer's two ends the one that was searched is tuned, the other stays 1; the reference has one factor for both.
        const at::Tensor factor = options.enable_alg_ext ? tuned.min_scale * tuned.max_scale : tuned.max_scale;
        QVERIFY2(factor.reshape(-1).equal(tensor(name + "." + linear->name + ".max_scale").reshape(-1)), linear->name.c_str());
        // A checkpoint's scale is read in its own dtype: one rounding apart, of float4's levels in bfloat16 two.
        QVERIFY2(at::allclose(linear->weight, tensor(name + "." + linear->name + ".qdq"), 1e-3, 1e-6), linear->name.c_str());
    }
}

void TestTuningOptions::next_token_loss_is_the_cross_entropy() {
    const at::Tensor hidden = at::randn({2, 300, 32}), labels = at::randint(0, 40, {2, 300}, at::kLong);
    labels[1].slice(0, 130) = NextTokens::not_a_label;
    const auto logits_of = [this](const at::Tensor& states) { return logits(states); };
    const TuningLoss loss = next_token_loss(hidden, labels, logits_of, 10);

    const at::AutoGradMode grad(true);
    const at::Tensor leaf = hidden.detach().requires_grad_();
    const at::Tensor whole = at::cross_entropy_loss(logits(leaf).slice(1, 0, -1).reshape({-1, 40}), labels.slice(1, 1).reshape(-1));
    whole.backward();
    QVERIFY(std::abs(loss.value - whole.item<double>()) < 1e-5);
    QVERIFY(at::allclose(loss.gradient, leaf.grad() * 10, 1e-4, 1e-7));
    QVERIFY(loss.gradient[1].slice(0, 130).eq(0).all().item<bool>());
    QVERIFY(loss.gradient[1].slice(0, 0, 129).ne(0).any().item<bool>());
}

void TestTuningOptions::imatrix_moves_the_start() {
    const auto first_loss = [this](bool weighed) {
        const auto block = layers({0});
        BlockSamples samples = samples_for(*block);
        if (!weighed) samples.imatrix.clear();
        std::map<std::string, QuantizationArgs> schemes;
        for (const Linear* linear : block->linears()) schemes[linear->name] = integers(2);
        AutoRoundOptions options;
        options.iters = 1;
        options.enable_alg_ext = true;
        RunControl control;
        return tune_block(*block, samples, schemes, options, control).loss_mse.front();
    };
    QVERIFY(first_loss(true) != first_loss(false));
}

void TestTuningOptions::outputs_can_be_made_when_they_are_needed() {
    const auto run = [this](bool kept) {
        const auto block = layers({0});
        BlockSamples samples = samples_for(*block);
        if (!kept) samples.make_outputs = [outputs = std::exchange(samples.outputs, {})](const at::Tensor& picked) { return outputs.index_select(0, picked); };
        std::map<std::string, QuantizationArgs> schemes;
        for (const Linear* linear : block->linears()) schemes[linear->name] = integers(4);
        AutoRoundOptions options;
        options.iters = 4;
        options.batch_size = 2;
        RunControl control;
        return tune_block(*block, samples, schemes, options, control).loss_mse;
    };
    QCOMPARE(run(true), run(false));
}

void TestTuningOptions::projections_of_one_matrix_share_their_inputs_range() {
    const auto block = layers({0});
    BlockSamples samples = samples_for(*block);
    const std::vector<std::string> names = {"layer0.self_attn.q_proj", "layer0.self_attn.k_proj", "layer0.self_attn.v_proj", "layer0.self_attn.o_proj"};
    samples.static_inputs = static_inputs_of(*block, names);
    for (auto& [name, input] : samples.static_inputs) input.scale = input.scale * 4;  // far too wide: cutting it pays
    std::map<std::string, QuantizationArgs> schemes;
    for (const std::string& name : names) {
        schemes[name] = integers(8);
        samples.static_inputs.at(name).args.type = QuantizationType::Int;
        samples.static_inputs.at(name).args.num_bits = 4;
        samples.static_inputs.at(name).scale = samples.static_inputs.at(name).scale * 448.0 / 8.0;
    }
    AutoRoundOptions options;
    options.iters = 20;
    options.lr = 1e-6;
    options.minmax_lr = 0.05;
    RunControl control;
    const auto before = block->linears().front()->transform_input != nullptr;
    const TuningResult result = tune_block(*block, samples, schemes, options, control);
    const auto& factors = result.input_factors;
    QCOMPARE(factors.at(names[0]), factors.at(names[1]));
    QCOMPARE(factors.at(names[0]), factors.at(names[2]));
    QVERIFY2(factors.at(names[0]) < 0.8 && factors.at(names[3]) < 0.8, qPrintable(QString("%1 %2").arg(factors.at(names[0])).arg(factors.at(names[3]))));
    QVERIFY(result.best_loss_mse < result.loss_mse.front());
    QCOMPARE(block->linears().front()->transform_input != nullptr, before);  // as it was

    options.enable_minmax_tuning = false;
    QVERIFY(tune_block(*block, samples, schemes, options, control).input_factors.empty());
}

QTEST_GUILESS_MAIN(TestTuningOptions)
#include "test_tuning_options.moc"
