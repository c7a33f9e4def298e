#include <fstream>
#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/analysis/input_inspection.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run.h"
#include "core/calibration/run_plan.h"
#include "core/calibration/sketch_store.h"
#include "core/models/module_plan.h"
#include "core/quantization/activation_quantizer.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const fs::path llama = demo / "tiny-llama-shakespeare";
const fs::path moe = demo / "tiny-qwen3-moe-shakespeare";
const std::vector<std::string> looked_at = {"model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj", "model.layers.2.self_attn.o_proj",
                                            "model.layers.1.mlp.up_proj", "model.layers.3.mlp.down_proj"};

constexpr int64_t sample_stride = 17;  // of 240 tokens, 48 in a sample

constexpr const char* weights_only = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier: {targets: [Linear], scheme: W4A16, ignore: [lm_head]}
)";

std::string with_inputs(const std::string& inputs) {
    return concat(R"(quant_stage:
  quant_modifiers:
    QuantizationModifier:
      ignore: [lm_head]
      config_groups:
        group_0:
          targets: [Linear]
          weights: {num_bits: 8, type: int, symmetric: true, strategy: channel}
          input_activations: )", inputs, "\n");
}

/// What the projections of a model see, [samples, seq, channels], in the batches of the run.
std::map<std::string, at::Tensor> inputs_of(CausalLm& model, const at::Tensor& ids, int64_t batch_size) {
    const at::NoGradGuard no_grad;
    std::map<std::string, std::vector<at::Tensor>> seen;
    at::Tensor hidden = model.embed(ids).clone();
    for (int64_t index = 0; index < model.config().num_hidden_layers; ++index) {
        const auto block = model.load_block(index);
        for (Linear* linear : block->linears())
            linear->on_input = [&seen, name = linear->name](const at::Tensor& input) { seen[name].push_back(input.clone()); };
        for (at::Tensor batch : hidden.split(batch_size)) batch.copy_(block->forward(batch, {}));
    }
    std::map<std::string, at::Tensor> inputs;
    for (auto& [name, parts] : seen) inputs[name] = at::cat(parts, 0);
    return inputs;
}

double sqnr_db(const at::Tensor& exact, const at::Tensor& other) {
    const at::Tensor signal = exact.to(at::kDouble);
    return 10 * std::log10((signal.square().sum() / (signal - other.to(at::kDouble)).square().sum()).item<double>());
}

}  // namespace

class TestInputInspection : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase();
    void factsAreThoseOfTheInputs();
    void whatIfEqualsTheRun_data();
    void whatIfEqualsTheRun();
    void expertsAreSketchedTogether();
    void staticScalesOfExperts();
    void outputErrorsAreThoseOfTheOutputs();
    void sameRunSameBytes();
    void resumedRunsKeepTheirs();
    void saysWhatItCannotAnswer();
    void damagedFilesAreNamed();

private:
    [[nodiscard]] fs::path path(const std::string& name) const { return fs::path(dir_.path().toStdString()) / name; }
    [[nodiscard]] RunConfig config(const fs::path& model, const std::string& recipe, const std::string& name) const;
    RunConfig run(const fs::path& model, const std::string& recipe, const std::string& name) const;
    QTemporaryDir dir_;
    RunConfig seen_;  ///< a run that quantized no inputs
    std::map<std::string, at::Tensor> inputs_;
};

RunConfig TestInputInspection::config(const fs::path& model, const std::string& recipe, const std::string& name) const {
    RunConfig config;
    config.model_dir = model;
    config.dataset = demo / "shakespeare.txt";
    config.recipe_yaml = recipe;
    config.output_dir = path(name + "-out");
    config.run_dir = path(name);
    config.num_samples = 5;
    config.seq_len = 48;
    config.batch_size = 2;  // three observations, the last one short
    config.device = "cpu";
    config.dtype = "float32";
    config.threads = 1;
    return config;
}

RunConfig TestInputInspection::run(const fs::path& model, const std::string& recipe, const std::string& name) const {
    Recorder recorder;
    RunControl control;
    const RunConfig wanted = config(model, recipe, name);
    run_calibration(wanted, recorder, control);
    return wanted;
}

void TestInputInspection::initTestCase() {
    at::set_num_threads(1);
    seen_ = run(llama, weights_only, "seen");
    const RunPlan plan = prepare_run(config(llama, weights_only, "plan"));
    inputs_ = inputs_of(*plan.model, at::tensor(plan.samples.input_ids).view({5, 48}), 2);
}

void TestInputInspection::factsAreThoseOfTheInputs() {
    for (const std::string& module : looked_at) {
        const auto inspection = inspect_input(seen_.run_dir, module);
        QVERIFY2(inspection, module.c_str());
        const InputFacts& facts = inspection->facts();
        const at::Tensor rows = inputs_.at(module).flatten(0, 1);
        QCOMPARE(facts.module, module);
        QCOMPARE(facts.num_tokens, 240);
        QCOMPARE(facts.num_sampled_tokens, 14);
        QCOMPARE(facts.sample_stride, sample_stride);
        QCOMPARE(facts.num_experts_together, 0);
        QCOMPARE(facts.num_channels, rows.size(1));
        QCOMPARE(facts.min, rows.min().item<double>());
        QCOMPARE(facts.max, rows.max().item<double>());
        const at::Tensor largest = rows.abs().amax(0);
        QVERIFY(at::equal(at::tensor(facts.channel_max), largest));
        QVERIFY(at::allclose(at::tensor(facts.channel_mean_square), rows.square().mean(0), 1e-5));
        const double median = std::get<0>(largest.sort())[rows.size(1) / 2].item<double>();
        QVERIFY(std::abs(facts.outlier_ratio / (largest.max().item<double>() / median) - 1) < 1e-6);

        int64_t total = 0;
        for (size_t bin = 0; bin < facts.histogram.counts.size(); ++bin) {
            const double low = facts.histogram.low + facts.histogram.bin_width() * static_cast<double>(bin), high = low + facts.histogram.bin_width();
            QCOMPARE(facts.histogram.counts[bin], ((rows >= low) & (rows < high)).sum().item<int64_t>());
            total += facts.histogram.counts[bin];
        }
        QCOMPARE(total, rows.numel());
        QVERIFY(facts.histogram.counts.size() > 100);
    }
}

void TestInputInspection::whatIfEqualsTheRun_data() {
    QTest::addColumn<QString>("inputs");
    QTest::addColumn<double>("most_error_db");  // that may be stated
    const std::pair<const char*, double> settings[] = {
        {"{num_bits: 8, type: int, symmetric: true, strategy: tensor, observer: static_minmax}", 1.5},
        {"{num_bits: 8, type: int, symmetric: false, strategy: tensor, observer: minmax}", 1.5},
        {"{num_bits: 8, type: int, symmetric: true, strategy: tensor, observer: minmax, observer_kwargs: {averaging_constant: 0.3}}", 1.5},
        {"{num_bits: 4, type: int, symmetric: true, strategy: tensor, observer: memoryless_minmax}", 0.5},
        {"{num_bits: 8, type: float, symmetric: true, strategy: tensor, observer: static_minmax}", 3},
        {"{num_bits: 8, type: int, symmetric: true, strategy: tensor, observer: histogram, observer_kwargs: {percentile: 99.5}}", 1.5},
        {"{num_bits: 6, type: int, symmetric: false, strategy: tensor, observer: histogram, observer_kwargs: {percentile: 99}}", 1},
        {"{num_bits: 8, type: int, symmetric: true, strategy: tensor, observer: histogram, observer_kwargs: {mode: entropy}}", 1.5},
        {"{num_bits: 8, type: int, symmetric: true, strategy: token, dynamic: true}", 0.01},
        {"{num_bits: 8, type: int, symmetric: false, strategy: token, dynamic: true}", 0.01},
        {"{num_bits: 4, type: int, symmetric: true, strategy: token, dynamic: true}", 0.01},
        {"{num_bits: 6, type: int, symmetric: true, strategy: token, dynamic: true}", 1.5},
        {"{num_bits: 8, type: float, symmetric: true, strategy: token, dynamic: true}", 2},
        {"{num_bits: 8, type: float, symmetric: true, strategy: group, group_size: 128, dynamic: true}", 2},
        {"{num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 32, dynamic: true}", 0.01},
        {"{num_bits: 4, type: float, symmetric: true, strategy: group, group_size: 32, dynamic: true, scale_dtype: torch.uint8, zp_dtype: torch.uint8}", 0.01},
    };
    for (const auto& [inputs, error] : settings) QTest::addRow("%s", inputs) << QString(inputs) << error;
}

void TestInputInspection::whatIfEqualsTheRun() {
    QFETCH(QString, inputs);
    QFETCH(double, most_error_db);
    const RunConfig other = run(llama, with_inputs(inputs.toStdString()), concat("other-", std::hash<std::string>()(inputs.toStdString())));
    const Checkpoint exported(other.output_dir);
    RunConfig planned = other;
    planned.output_dir.clear();
    planned.run_dir.clear();
    const RunPlan plan = prepare_run(planned);
    for (const std::string& module : looked_at) {
        const size_t block = static_cast<size_t>(module[13] - '0');
        const QuantizationArgs args = *plan.blocks[block].at(module).scheme.input_activations;
        const InputAnswer answer = inspect_input(seen_.run_dir, module)->answer(args);
        QParams stored;
        if (args.dynamic == Dynamic::No) {
            const at::Tensor scale = exported.tensor(module + ".input_scale");
            QCOMPARE(answer.scale, scale.item<double>());
            QCOMPARE(answer.scale_error, 0.0);
            stored.scale = scale.to(at::kFloat);
            if (!args.symmetric) {
                stored.zero_point = exported.tensor(module + ".input_zero_point").to(at::kFloat);
                QCOMPARE(answer.zero_point, stored.zero_point.item<double>());
            }
        }
        const at::Tensor& all = inputs_.at(module);
        const ActivationQuantizer quantizer = make_activation_quantizer(args, stored);
        const at::Tensor sample = all.flatten(0, 1).slice(0, sample_stride / 2, 240, sample_stride).unsqueeze(0);
        const double sqnr = sqnr_db(sample, quantizer(sample));
        const auto told = concat(module, ": ", answer.sqnr_db, " +- ", answer.sqnr_error_db, " dB, is ", sqnr);
        QVERIFY2(std::abs(sqnr - answer.sqnr_db) <= answer.sqnr_error_db, told.c_str());
        QVERIFY2(answer.sqnr_error_db <= most_error_db, told.c_str());
        QVERIFY2(std::abs(sqnr - answer.sqnr_db) < 0.3, told.c_str());

        double clipped = 0;
        if (args.dynamic == Dynamic::No) {
            const QuantizationRange range = quantization_range(args);
            const double last = args.type == QuantizationType::Float ? 32 : 1;  // between the last two levels
            const at::Tensor scaled = all.to(at::kDouble) / answer.scale + answer.zero_point;
            clipped = ((scaled < range.min - last / 2) | (scaled > range.max + last / 2)).to(at::kDouble).mean().item<double>();
        }
        QVERIFY2(std::abs(clipped - answer.clipped_share) <= answer.clipped_error + 1e-12, concat(told, "; clipped ", answer.clipped_share, ", is ", clipped).c_str());
        QVERIFY(answer.clipped_error < 0.002);
    }
}

void TestInputInspection::expertsAreSketchedTogether() {
    const RunConfig seen = run(moe, weights_only, "experts");
    const RunPlan plan = prepare_run(config(moe, weights_only, "experts-plan"));
    const auto inputs = inputs_of(*plan.model, at::tensor(plan.samples.input_ids).view({5, 48}), 2);
    std::map<std::string, int64_t> tokens, sampled;
    for (const char* leaf : {"gate_proj", "up_proj", "down_proj"})
        for (int expert = 0; expert < 8; ++expert) {
            const std::string module = concat("model.layers.1.mlp.experts.", expert, ".", leaf);
            const auto inspection = inspect_input(seen.run_dir, module);
            if (!inputs.contains(module)) {
                QVERIFY(!inspection);
                continue;
            }
            const InputFacts& facts = inspection->facts();
            const at::Tensor& rows = inputs.at(module);
            QCOMPARE(facts.num_tokens, rows.size(0));
            QCOMPARE(facts.max, rows.max().item<double>());
            QVERIFY(at::equal(at::tensor(facts.channel_max), rows.abs().amax(0)));
            QVERIFY(facts.num_experts_together > 4);
            tokens[leaf] += rows.size(0);
            sampled[leaf] += rows.slice(0, std::min(sample_stride / 2, rows.size(0)), rows.size(0), sample_stride).size(0);
            QuantizationArgs args;
            args.strategy = Strategy::Tensor;
            QVERIFY_EXCEPTION_THROWN((void)inspection->answer(args), InputError);
        }
    const InputFacts facts = inspect_input(seen.run_dir, "model.layers.1.mlp.experts.0.up_proj")->facts();
    int64_t counted = 0;
    for (const int64_t count : facts.histogram.counts) counted += count;
    QCOMPARE(counted, tokens["up_proj"] * facts.num_channels);
    QCOMPARE(facts.num_sampled_tokens, sampled["up_proj"]);
    const auto attention = inspect_input(seen.run_dir, "model.layers.1.self_attn.o_proj");
    QCOMPARE(attention->facts().num_experts_together, 0);
}

void TestInputInspection::staticScalesOfExperts() {
    const RunConfig seen = run(moe, with_inputs("{num_bits: 8, type: int, symmetric: true, strategy: tensor, observer: static_minmax}"), "static-experts");
    const Checkpoint exported(seen.output_dir);
    QuantizationArgs args;
    args.strategy = Strategy::Tensor;
    args.observer = "static_minmax";
    for (const char* module : {"model.layers.1.mlp.experts.3.up_proj", "model.layers.2.mlp.experts.5.down_proj"})
        if (const auto inspection = inspect_input(seen.run_dir, module))
            QCOMPARE(inspection->answer(args).scale, exported.tensor(concat(module, ".input_scale")).item<double>());
}

void TestInputInspection::outputErrorsAreThoseOfTheOutputs() {
    const auto float_model = CausalLm::open(llama), quantized_model = CausalLm::open(seen_.output_dir);
    const RunPlan plan = prepare_run(config(llama, weights_only, "outputs-plan"));
    const at::Tensor ids = at::tensor(plan.samples.input_ids).view({5, 48});
    const auto quantized_inputs = inputs_of(*quantized_model, ids, 2);
    const auto errors = read_output_errors(seen_.run_dir);
    QCOMPARE(errors.size(), 4u * 7u);
    QCOMPARE(errors[0].module, "model.layers.0.self_attn.q_proj");
    QCOMPARE(errors[7].module, "model.layers.1.self_attn.q_proj");
    QVERIFY(std::isinf(errors[0].inherited_sqnr_db) && errors[0].inherited_sqnr_db > 0);  // nothing before it is quantized
    QVERIFY(std::abs(errors[0].output_sqnr_db - errors[0].local_sqnr_db) < 1e-6);
    for (const OutputError& error : errors) {
        const int64_t index = error.module[13] - '0';
        const auto weight_in = [&](CausalLm& model) {
            const auto block = model.load_block(index);
            for (const Linear* linear : block->linears())
                if (linear->name == error.module) return linear->weight.to(at::kDouble).t();
            return at::Tensor();
        };
        const auto tokens = [&](const std::map<std::string, at::Tensor>& inputs) {
            return inputs.at(error.module).slice(0, 0, 4).slice(1, 0, 4).flatten(0, 1).to(at::kDouble);
        };
        const at::Tensor weight = weight_in(*float_model), rounded = weight_in(*quantized_model), x = tokens(inputs_), xq = tokens(quantized_inputs);
        const at::Tensor exact = at::matmul(x, weight);
        const auto close = [&](double told, const at::Tensor& outputs) {
            const double is = sqnr_db(exact, outputs);
            return std::isinf(told) ? is > 120 : std::abs(told - is) < 0.01;
        };
        QVERIFY2(close(error.local_sqnr_db, at::matmul(x, rounded)), error.module.c_str());
        QVERIFY2(close(error.inherited_sqnr_db, at::matmul(xq, weight)), error.module.c_str());
        QVERIFY2(close(error.output_sqnr_db, at::matmul(xq, rounded)), error.module.c_str());
    }
}

void TestInputInspection::sameRunSameBytes() {
    const RunConfig again = run(llama, weights_only, "again");
    for (int64_t block = 0; block < 4; ++block) {
        const auto file = fs::path("sketches") / (block_name(block) + ".safetensors");
        QVERIFY(!read_bytes(seen_.run_dir / file).empty());
        QVERIFY(read_bytes(seen_.run_dir / file) == read_bytes(again.run_dir / file));
    }
}

void TestInputInspection::resumedRunsKeepTheirs() {
    RunConfig stopped = config(llama, weights_only, "resumed");
    RunControl control;
    Recorder recorder;
    recorder.react = [&](const RunEvent& event) {
        const auto* finished = std::get_if<BlockFinished>(&event);
        if (finished && finished->block == 1) control.request_cancel();
    };
    QVERIFY_EXCEPTION_THROWN(run_calibration(stopped, recorder, control), Cancelled);
    QCOMPARE(read_output_errors(stopped.run_dir).size(), 2u * 7u);
    QVERIFY(!inspect_input(stopped.run_dir, "model.layers.2.mlp.up_proj"));
    stopped.resume = true;
    RunControl goes_on;
    Recorder rest;
    run_calibration(stopped, rest, goes_on);
    QCOMPARE(rest.all<OutputErrorMeasured>().size(), 2u * 7u);
    for (int64_t block = 0; block < 4; ++block) {
        const auto file = fs::path("sketches") / (block_name(block) + ".safetensors");
        QVERIFY(read_bytes(seen_.run_dir / file) == read_bytes(stopped.run_dir / file));
    }
}

void TestInputInspection::saysWhatItCannotAnswer() {
    const auto inspection = inspect_input(seen_.run_dir, looked_at.front());
    const auto refusal = [&](const QuantizationArgs& args) -> std::string {
        try {
            (void)inspection->answer(args);
        } catch (const InputError& error) {
            return error.what();
        }
        return {};
    };
    QuantizationArgs mse{.strategy = Strategy::Tensor, .observer = "mse"};
    QVERIFY(refusal(mse).find("minmax") != std::string::npos);
    QuantizationArgs groups{.group_size = 8, .strategy = Strategy::Group, .dynamic = Dynamic::Yes};
    QVERIFY(refusal(groups).find("16, 32, 64 and 128") != std::string::npos);
    groups.group_size = 96;
    QVERIFY(refusal(groups).find("256 channels") != std::string::npos);
    QVERIFY(!refusal({.num_bits = 16, .strategy = Strategy::Token, .dynamic = Dynamic::Yes}).empty());
    QVERIFY(!inspect_input(seen_.run_dir, "lm_head"));
    QVERIFY(!inspect_input(seen_.run_dir, "model.layers.0.self_attn.none"));
    QVERIFY(!inspect_input(path("nowhere"), looked_at.front()));
    QVERIFY(read_output_errors(path("nowhere")).empty());
}

void TestInputInspection::damagedFilesAreNamed() {
    const fs::path file = path("damaged") / "sketches" / "model.layers.0.safetensors";
    fs::create_directories(file.parent_path());
    const std::string whole = read_bytes(seen_.run_dir / "sketches" / "model.layers.0.safetensors");
    std::string renamed = whole;
    renamed.replace(renamed.find("static_cells"), 6, "forged");
    for (const std::string& bytes : {whole.substr(0, whole.size() / 2), std::string(), std::string("{}"), renamed}) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
        try {
            (void)inspect_input(path("damaged"), looked_at.front());
            QFAIL("a damaged file was read");
        } catch (const InputError& error) {
            QVERIFY2(std::string(error.what()).find("model.layers.0.safetensors") != std::string::npos, error.what());
        }
    }
}

QTEST_APPLESS_MAIN(TestInputInspection)
#include "tst_input_inspection.moc"
