#include <fstream>
#include <limits>
#include <map>
#include <set>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/calibration_pipeline.h"
#include "core/calibration/run.h"
#include "tests/core/calibration/recorder.h"
#include "tests/core/calibration/reopened_model.h"

using namespace calibench;
using testing::read_bytes;
using testing::Recorder;
using testing::reopened_logits;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const fs::path llama = demo / "tiny-llama-shakespeare";
const fs::path moe = demo / "tiny-qwen3-moe-shakespeare";

constexpr const char* autoround_w4 = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 3
      batch_size: 2
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 4, type: int, symmetric: true, strategy: group, group_size: 64}}
)";
constexpr const char* autoround_w2 = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 3
      batch_size: 2
      ignore: [lm_head]
      config_groups:
        group_0: {targets: [Linear], weights: {num_bits: 2, type: int, symmetric: false, strategy: group, group_size: 32}}
)";
constexpr const char* nearest_w8 = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier: {targets: [Linear], scheme: W8A16, ignore: [lm_head]}
)";
constexpr const char* nearest_w8_with_head = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier: {targets: [Linear], scheme: W8A16}
)";
constexpr const char* nearest_nvfp4 = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier: {targets: [Linear], scheme: NVFP4A16, ignore: [lm_head]}
)";
/// Static inputs, and a weight observer that looks at them.
constexpr const char* static_inputs = R"(quant_stage:
  quant_modifiers:
    QuantizationModifier:
      ignore: [lm_head]
      config_groups:
        group_0:
          targets: [Linear]
          weights: {num_bits: 8, type: int, symmetric: true, strategy: channel, observer: imatrix_mse}
          input_activations: {num_bits: 8, type: int, symmetric: true, strategy: tensor, dynamic: false, observer: static_minmax}
)";
/// Two modifiers, each with its own modules; some blocks are left alone.
constexpr const char* mixed = R"(quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 2
      batch_size: 2
      config_groups:
        attention: {targets: ['re:.*layers\.[12]\.self_attn\..*_proj$'], weights: {num_bits: 4, type: int, symmetric: false, strategy: group, group_size: 64}}
    QuantizationModifier:
      config_groups:
        mlp: {targets: ['re:.*layers\.[12]\.mlp\..*_proj$'], weights: {num_bits: 8, type: int, symmetric: true, strategy: channel}}
)";

}  // namespace

class TestRun : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }  // models so small that threads would only wait for each other
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }
    void exportReopensAsTheSameModel_data();
    void exportReopensAsTheSameModel();
    void whatIsNotQuantizedIsCopied();
    void staticInputsHaveScales();
    void fusedProjectionsShareAGlobalScale();
    void sameSeedSameBytes();
    void detailsThatNobodyLooksAtAreNotFound();
    void tuningLowersTheLoss();
    void cancelKeepsTheRunDirectoryOnly();
    void pauseIsToldAndEnds();
    void eventsAreInOrder();
    void expertTokensAddUp();
    void runDirectoryTellsTheRun();
    void listsAllProblemsAtOnce();
    void refusesGroupsThatDoNotFit();
    void namesAWeightThatIsNotFinite();

private:
    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] RunConfig config(const fs::path& model, const char* recipe) const;
    std::unique_ptr<QTemporaryDir> dir_;
};

RunConfig TestRun::config(const fs::path& model, const char* recipe) const {
    RunConfig config;
    config.model_dir = model;
    config.dataset = demo / "shakespeare.txt";
    config.recipe_yaml = recipe;
    config.output_dir = path("out");
    config.num_samples = 5;
    config.seq_len = 48;
    config.device = "cpu";
    config.dtype = "float32";
    config.threads = 1;
    return config;
}

void TestRun::exportReopensAsTheSameModel_data() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("recipe");
    QTest::addColumn<QString>("dtype");
    const std::pair<const char*, const char*> recipes[] = {
        {"AutoRound W4 g64 sym", autoround_w4}, {"AutoRound W2 g32 asym", autoround_w2}, {"W8A16", nearest_w8}, {"NVFP4A16", nearest_nvfp4}, {"mixed", mixed}};
    for (const auto& [name, recipe] : recipes)
        for (const auto& model : {llama, moe}) QTest::addRow("%s, %s", model.filename().c_str(), name) << QString::fromStdString(model.string()) << QString(recipe) << QString("float32");
    QTest::addRow("llama, head too") << QString::fromStdString(llama.string()) << QString(nearest_w8_with_head) << QString("float32");
    QTest::addRow("llama, bfloat16") << QString::fromStdString(llama.string()) << QString(autoround_w4) << QString("bfloat16");
}

void TestRun::exportReopensAsTheSameModel() {
    QFETCH(QString, model);
    QFETCH(QString, recipe);
    QFETCH(QString, dtype);
    RunConfig run = config(model.toStdString(), recipe.toUtf8().constData());
    run.dtype = dtype.toStdString();
    Recorder recorder;
    RunControl control;
    RunReporter reporter(recorder, control);
    RunPlan plan = prepare_run(run);
    CalibrationPipeline pipeline(plan, reporter);
    const RunSummary summary = pipeline.run();
    QVERIFY(summary.output_bytes > 0);

    const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
    const at::Tensor in_memory = plan.model->logits(pipeline.hidden().quantized);
    const at::Tensor reopened = reopened_logits(run.output_dir, ids, plan.model->options(), plan.batch_size);
    QVERIFY2(at::equal(in_memory, reopened), concat("largest difference ", (in_memory - reopened).abs().max().item<double>()).c_str());
    const at::Tensor original = reopened_logits(run.model_dir, ids, plan.model->options(), plan.batch_size);
    QVERIFY(!at::equal(original, reopened));
}

void TestRun::whatIsNotQuantizedIsCopied() {
    Recorder recorder;
    RunControl control;
    const RunConfig run = config(moe, nearest_w8);
    run_calibration(run, recorder, control);
    const Checkpoint source(run.model_dir), exported(run.output_dir);
    int copied = 0, quantized = 0;
    for (const auto& name : source.names()) {
        if (exported.contains(name)) {
            QVERIFY2(at::equal(source.tensor(name), exported.tensor(name)), name.c_str());
            QVERIFY(source.entry(name).dtype == exported.entry(name).dtype);
            ++copied;
        } else {
            const std::string module = name.substr(0, name.size() - std::string(".weight").size());
            QVERIFY2(exported.contains(module + ".weight_packed"), name.c_str());
            ++quantized;
        }
    }
    QVERIFY(copied > 0);
    QCOMPARE(quantized, int(std::get<RunFinished>(recorder.events.back()).summary.num_quantized_modules));
    QVERIFY(!exported.contains("lm_head.weight"));  // tied, and absent in the source
    const auto json = nlohmann::json::parse(read_bytes(run.output_dir / "config.json"));
    const auto ignore = json["quantization_config"]["ignore"].get<std::vector<std::string>>();
    QVERIFY(std::find(ignore.begin(), ignore.end(), "lm_head") != ignore.end());
    QVERIFY(std::find(ignore.begin(), ignore.end(), "model.layers.1.mlp.gate") != ignore.end());
    QCOMPARE(read_bytes(run.output_dir / "tokenizer.json"), read_bytes(run.model_dir / "tokenizer.json"));
    QVERIFY(parse_recipe(read_bytes(run.output_dir / "recipe.yaml")).recipe.has_value());
}

void TestRun::staticInputsHaveScales() {
    Recorder recorder;
    RunControl control;
    RunConfig run = config(moe, static_inputs);
    run.num_samples = 1;
    run.seq_len = 8;  // too few tokens to be routed to every expert
    run_calibration(run, recorder, control);
    const auto tokens = recorder.all<TokensCounted>();
    QVERIFY(std::any_of(tokens.begin(), tokens.end(), [](const auto& counted) { return counted.tokens == 0; }));
    const Checkpoint exported(run.output_dir);
    for (int expert = 1; expert < 8; ++expert)  // all see what enters the layer, and none sees another's inner values
        for (const char* inner : {"gate_proj", "down_proj"}) {
            const auto scale = [&](int of) { return exported.tensor(concat("model.layers.1.mlp.experts.", of, ".", inner, ".input_scale")); };
            QCOMPARE(at::equal(scale(expert), scale(0)), std::string(inner) == "gate_proj");
        }
    for (const auto& module : recorder.all<ModuleQuantized>()) {
        const at::Tensor scale = exported.tensor(module.module + ".input_scale");
        QVERIFY2(scale.numel() == 1 && scale.scalar_type() == at::kBFloat16 && scale.item<float>() > 0, module.module.c_str());
        QCOMPARE(exported.entry(module.module + ".weight").dtype, "I8");
    }
}

void TestRun::fusedProjectionsShareAGlobalScale() {
    Recorder recorder;
    RunControl control;
    RunConfig run = config(llama, nearest_nvfp4);
    run_calibration(run, recorder, control);
    const Checkpoint exported(run.output_dir);
    const auto global_scale = [&](const std::string& module) { return exported.tensor("model.layers.2." + module + ".weight_global_scale").item<float>(); };
    QCOMPARE(global_scale("self_attn.q_proj"), global_scale("self_attn.k_proj"));
    QCOMPARE(global_scale("self_attn.q_proj"), global_scale("self_attn.v_proj"));
    QCOMPARE(global_scale("mlp.gate_proj"), global_scale("mlp.up_proj"));
    QVERIFY(global_scale("mlp.gate_proj") != global_scale("mlp.down_proj"));

    std::string recipe = nearest_nvfp4;
    recipe.replace(recipe.find("[lm_head]"), 9, "[lm_head, 're:.*layers.1.self_attn.k_proj']");
    RunConfig partly = config(llama, recipe.c_str());
    partly.output_dir = path("partly");
    QVERIFY_EXCEPTION_THROWN(run_calibration(partly, recorder, control), InputError);
}

void TestRun::sameSeedSameBytes() {
    std::string bytes[2];
    for (std::string& each : bytes) {
        Recorder recorder;
        RunControl control;
        RunConfig run = config(llama, autoround_w4);
        run.output_dir = path(&each == bytes ? "first" : "second");
        run_calibration(run, recorder, control);
        each = read_bytes(run.output_dir / "model.safetensors");
    }
    QVERIFY(!bytes[0].empty());
    QVERIFY(bytes[0] == bytes[1]);
}

/// The checkpoint, the losses and the warnings are the same without.
void TestRun::detailsThatNobodyLooksAtAreNotFound() {
    struct Uninterested : Recorder {
        bool wants_details() const override { return false; }
    };
    for (const char* recipe : {static_inputs, autoround_w4}) {
        const auto run_into = [&](const char* output, Recorder& recorder) {
            RunControl control;
            RunConfig run = config(llama, recipe);
            run.output_dir = path(output);
            run.run_dir.clear();
            return run_calibration(run, recorder, control);
        };
        Recorder interested;
        Uninterested uninterested;
        const RunSummary with = run_into("with", interested), without = run_into("without", uninterested);
        QCOMPARE(read_bytes(without.output_dir / "model.safetensors"), read_bytes(with.output_dir / "model.safetensors"));
        QCOMPARE(without.mean_best_loss_mse, with.mean_best_loss_mse);
        QCOMPARE(uninterested.all<Warning>().size(), interested.all<Warning>().size());
        QVERIFY(!interested.all<RangeObserved>().empty() && !interested.all<OutputErrorMeasured>().empty() && !interested.all<TokensCounted>().empty());
        QVERIFY(uninterested.all<RangeObserved>().empty() && uninterested.all<OutputErrorMeasured>().empty() && uninterested.all<TokensCounted>().empty());
        init();
    }
}

void TestRun::tuningLowersTheLoss() {
    Recorder recorder;
    RunControl control;
    RunConfig run = config(llama, autoround_w2);
    run.iters = 15;
    run.batch_size = 5;  // all samples in every batch, so that iterations can be compared
    run.output_dir.clear();
    const RunSummary summary = run_calibration(run, recorder, control);
    QVERIFY2(summary.mean_best_loss_mse < 0.9 * summary.mean_initial_loss_mse,
             concat(summary.mean_initial_loss_mse, " -> ", summary.mean_best_loss_mse).c_str());
    QCOMPARE(recorder.all<LossRecorded>().size(), 15u * 4u);
    QVERIFY(!fs::exists(path("out")));
}

void TestRun::cancelKeepsTheRunDirectoryOnly() {
    RunConfig run = config(llama, autoround_w4);
    run.run_dir = path("run");
    RunControl control;
    Recorder recorder;
    recorder.react = [&](const RunEvent& event) {
        const auto* loss = std::get_if<LossRecorded>(&event);
        if (loss && loss->block == 1 && loss->iteration == 1) control.request_cancel();
    };
    QVERIFY_EXCEPTION_THROWN(run_calibration(run, recorder, control), Cancelled);
    QVERIFY(std::holds_alternative<RunStopped>(recorder.events.back()));
    QCOMPARE(std::get<RunStopped>(recorder.events.back()).blocks_done, 1);
    QCOMPARE(recorder.all<LossRecorded>().back().iteration, 1);
    QStringList left;
    for (const auto& entry : fs::directory_iterator(path(""))) left << QString::fromStdString(entry.path().filename().string());
    QCOMPARE(left, QStringList{"run"});

    std::ifstream journal(run.run_dir / "events.jsonl");
    size_t lines = 0;
    for (std::string line; std::getline(journal, line); ++lines)
        QCOMPARE(to_json(run_event_from_json(nlohmann::json::parse(line))).dump(), to_json(recorder.events[lines]).dump());
    QCOMPARE(lines, recorder.events.size());
    QCOMPARE(nlohmann::json::parse(read_bytes(run.run_dir / "result.json"))["event"].get<std::string>(), "run_stopped");
}

void TestRun::pauseIsToldAndEnds() {
    RunControl control;
    Recorder recorder;
    recorder.react = [&](const RunEvent& event) {
        if (std::holds_alternative<BlockStarted>(event) && std::get<BlockStarted>(event).block == 0) control.pause();
        if (std::holds_alternative<LossRecorded>(event) && std::get<LossRecorded>(event).iteration == 1) control.pause();
        if (std::holds_alternative<Paused>(event)) control.resume();
    };
    run_calibration(config(llama, autoround_w4), recorder, control);
    QCOMPARE(recorder.all<Paused>().size(), 5u);  // at the start, and in the tuning of each of the four blocks
    QCOMPARE(recorder.all<Resumed>().size(), 5u);
    QVERIFY(std::holds_alternative<RunFinished>(recorder.events.back()));
}

void TestRun::eventsAreInOrder() {
    RunControl control;
    Recorder recorder;
    const RunSummary summary = run_calibration(config(llama, autoround_w4), recorder, control);
    QVERIFY(std::holds_alternative<RunStarted>(recorder.events.front()));
    QCOMPARE(recorder.all<RunStarted>().front().num_quantized_modules, 28);
    QCOMPARE(recorder.all<ModuleQuantized>().size(), 28u);
    QCOMPARE(recorder.all<BlockStarted>().size(), 4u);
    QCOMPARE(recorder.all<BlockFinished>().size(), 4u);
    QCOMPARE(recorder.all<LossRecorded>().size(), 12u);
    QCOMPARE(recorder.all<RangeObserved>().size(), 56u);
    QCOMPARE(recorder.all<RunFinished>().size(), 1u);
    QVERIFY(std::holds_alternative<RunFinished>(recorder.events.back()));
    QCOMPARE(summary.num_quantized_modules, 28);
    double fraction = 0;
    for (const auto& progress : recorder.all<Progress>()) {
        QVERIFY(progress.fraction >= fraction);
        fraction = progress.fraction;
    }
    QCOMPARE(fraction, 1.0);
    for (const auto& module : recorder.all<ModuleQuantized>())
        QVERIFY2(module.weight_sqnr_db > 10 && module.weight_sqnr_db < 40, concat(module.module, " ", module.weight_sqnr_db).c_str());
    for (const auto& range : recorder.all<RangeObserved>())
        QVERIFY(range.min <= range.p001 && range.p001 < range.p999 && range.p999 <= range.max);
}

void TestRun::expertTokensAddUp() {
    RunControl control;
    Recorder recorder;
    RunConfig run = config(moe, nearest_w8);
    run.output_dir.clear();
    run_calibration(run, recorder, control);
    std::map<int64_t, int64_t> by_block;
    std::set<int64_t> experts;
    for (const auto& tokens : recorder.all<TokensCounted>()) {
        if (tokens.expert >= 0 && QString::fromStdString(tokens.module).endsWith("up_proj")) {
            by_block[tokens.block] += tokens.tokens;
            experts.insert(tokens.expert);
        }
        if (tokens.expert < 0) QCOMPARE(tokens.tokens, 5 * 48);
    }
    QCOMPARE(by_block.size(), 3u);
    QCOMPARE(experts.size(), 8u);
    for (const auto& [block, tokens] : by_block) QCOMPARE(tokens, 5 * 48 * 2);
}

void TestRun::runDirectoryTellsTheRun() {
    RunControl control;
    Recorder recorder;
    RunConfig run = config(llama, nearest_w8);
    run.run_dir = path("run");
    run_calibration(run, recorder, control);
    QCOMPARE(read_bytes(run.run_dir / "recipe.yaml"), std::string(nearest_w8));
    const auto about = nlohmann::json::parse(read_bytes(run.run_dir / "run.json"));
    QCOMPARE(about["config"]["seq_len"].get<int>(), 48);
    QVERIFY(about["config"]["iters"].is_null());
    QCOMPARE(nlohmann::json::parse(read_bytes(run.run_dir / "result.json"))["event"].get<std::string>(), "run_finished");
    run.output_dir = path("again");
    try {
        run_calibration(run, recorder, control);
        QFAIL("a run directory was used twice");
    } catch (const InputError& error) {
        QVERIFY2(QString(error.what()).contains("holds a run already"), error.what());
    }
}

void TestRun::listsAllProblemsAtOnce() {
    RunControl control;
    Recorder recorder;
    RunConfig run = config(llama, nearest_w8);
    run.dataset = path("missing.txt");
    run.output_dir = llama;
    try {
        run_calibration(run, recorder, control);
        QFAIL("accepted");
    } catch (const InputError& error) {
        const QStringList lines = QString(error.what()).split('\n');
        QCOMPARE(lines.size(), 2);
        QVERIFY2(lines[0].contains("missing.txt"), error.what());
        QVERIFY2(lines[1].contains("not an empty directory"), error.what());
    }
    QCOMPARE(recorder.events.size(), 1u);
    QVERIFY(std::holds_alternative<RunFailed>(recorder.events.back()));
}

void TestRun::refusesGroupsThatDoNotFit() {
    RunControl control;
    Recorder recorder;
    std::string recipe = autoround_w4;
    recipe.replace(recipe.find("group_size: 64"), 14, "group_size: 96");
    try {
        run_calibration(config(llama, recipe.c_str()), recorder, control);
        QFAIL("accepted");
    } catch (const InputError& error) {
        QVERIFY2(QString(error.what()).contains("96") && QString(error.what()).contains("256"), error.what());
    }
    QVERIFY(!fs::exists(path("out")));
}

void TestRun::namesAWeightThatIsNotFinite() {
    const fs::path broken = path("broken");
    fs::copy(llama, broken);
    const std::string module = "model.layers.2.mlp.down_proj";
    {
        const SafetensorsFile source(llama / "model.safetensors");
        std::vector<NamedTensor> tensors;
        for (const auto& [name, entry] : source.entries()) tensors.push_back({name, source.tensor(name).clone()});
        for (auto& [name, tensor] : tensors)
            if (name == module + ".weight") tensor[5].slice(0, 0, 3).fill_(std::numeric_limits<float>::quiet_NaN());
        write_safetensors(broken / "model.safetensors", tensors);
    }
    RunControl control;
    Recorder recorder;
    try {
        run_calibration(config(broken, nearest_w8), recorder, control);
        QFAIL("accepted");
    } catch (const RunError& error) {
        QVERIFY2(QString(error.what()).startsWith(QString::fromStdString(module) + ": the weight holds 3 values"), error.what());
    }
    QVERIFY(std::holds_alternative<RunFailed>(recorder.events.back()));
    QVERIFY(!fs::exists(path("out")));
}

QTEST_GUILESS_MAIN(TestRun)
#include "tst_run.moc"
