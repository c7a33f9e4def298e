#include <filesystem>
#include <fstream>
#include <limits>

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/calibration_pipeline.h"
#include "core/calibration/preflight.h"
#include "core/calibration/run.h"
#include "core/models/safetensors.h"
#include "tests/core/calibration/reopened_model.h"

using namespace calibench;
using testing::reopened_logits;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const std::string llama = "tiny-llama-shakespeare", moe = "tiny-qwen3-moe-shakespeare";

const std::string fp8_static = "{num_bits: 8, type: float, strategy: tensor, dynamic: false}";
const std::string int4 = "{num_bits: 4, type: int, strategy: group, group_size: 64}";

/// Fields of a QuantizationModifier that leaves lm_head alone.
std::string ignoring_head(const std::string& fields) { return concat("ignore: [lm_head], ", fields); }
std::string group(const std::string& fields) { return concat("config_groups: {group_0: {targets: [Linear], ", fields, "}}"); }

class Listener : public RunListener {
public:
    std::vector<Warning> warnings;
    std::vector<double> sqnr;  ///< of the modules, in dB
    void on_event(const RunEvent& event) override {
        if (const auto* module = std::get_if<ModuleQuantized>(&event)) sqnr.push_back(module->weight_sqnr_db);
        if (const auto* warning = std::get_if<Warning>(&event)) warnings.push_back(*warning);
    }
};

nlohmann::json read_json(const fs::path& path) {
    std::ifstream stream(path);
    return nlohmann::json::parse(stream);
}

}  // namespace

/// What the pipeline makes of every kind of scheme, beyond the weights of Linears.
class ExportFormatsTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] RunConfig config(const std::string& model, const std::string& fields) const {
        RunConfig config;
        config.model_dir = demo / model;
        config.dataset = demo / "shakespeare.txt";
        config.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    QuantizationModifier: {", fields, "}\n");
        config.output_dir = fs::path(dir_->path().toStdString()) / "out";
        config.num_samples = 3;
        config.seq_len = 40;
        config.batch_size = 2;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }
    static void run(const RunConfig& config) {
        Listener listener;
        RunControl control;
        run_calibration(config, listener, control);
    }
    static QString error_of(const RunConfig& config) {
        try {
            run(config);
        } catch (const Error& error) {
            return error.what();
        }
        return "accepted";
    }

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void reopens_and_has_the_foretold_size_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("fields");
        const auto add = [](const std::string& name, const std::string& model, const std::string& fields) {
            QTest::addRow("%s, %s", model.c_str(), name.c_str()) << QString::fromStdString(model) << QString::fromStdString(fields);
        };
        for (const std::string& preset : preset_scheme_names())
            if (preset != "UNQUANTIZED") add(preset, llama, ignoring_head("scheme: " + preset));
        for (const std::string& model : {llama, moe}) {
            add("static outputs", model, ignoring_head(group(concat("weights: ", int4, ", output_activations: ", fp8_static))));
            add("activations alone", model, ignoring_head(group("input_activations: {num_bits: 8, strategy: tensor}")));
            add("cache fp8", model, ignoring_head(concat("scheme: FP8, kv_cache_scheme: ", fp8_static)));
            add("cache int8 per head, asymmetric", model, ignoring_head("scheme: W4A8, kv_cache_scheme: {num_bits: 8, strategy: attn_head, symmetric: false}"));
            add("cache alone", model, "kv_cache_scheme: " + fp8_static);
            add("dynamic cache", model, ignoring_head("scheme: W8A16, kv_cache_scheme: {num_bits: 8, strategy: tensor, dynamic: true}"));
            add("embedding alone", model, "config_groups: {e: {targets: [Embedding], weights: {num_bits: 8, strategy: channel}}}");
            add("embedding and head", model, "config_groups: {e: {targets: [Embedding, lm_head], weights: {num_bits: 8, strategy: channel}}}");
            add("head alone", model, "config_groups: {h: {targets: [lm_head], weights: " + int4 + "}}");
            add("head and embedding apart", model, concat("config_groups: {h: {targets: [lm_head], weights: ", int4, "}, e: {targets: [Embedding], weights: {num_bits: 8, strategy: channel}}}"));
            add("formats mixed", model, ignoring_head(concat("config_groups: {a: {targets: ['re:.*self_attn.*'], weights: {num_bits: 8, type: float, strategy: channel}, "
                                                             "input_activations: {num_bits: 8, type: float, strategy: token, dynamic: true}}, "
                                                             "m: {targets: ['re:.*mlp.*'], weights: ", int4, "}}")));
        }
    }
    void reopens_and_has_the_foretold_size() {
        QFETCH(QString, model);
        QFETCH(QString, fields);
        const RunConfig run = config(model.toStdString(), fields.toStdString());
        const PreflightReport foretold = check_before_run(run);

        Listener listener;
        RunControl control;
        RunReporter reporter(listener, control);
        RunPlan plan = prepare_run(run);
        CalibrationPipeline pipeline(plan, reporter);
        const RunSummary summary = pipeline.run();
        QCOMPARE(foretold.compressed_bytes, summary.output_bytes);
        QCOMPARE(int64_t(foretold.num_quantized), summary.num_quantized_modules);
        QCOMPARE(inspect_model(run.output_dir).num_bytes, summary.output_bytes - untold_bytes(run.output_dir));

        const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
        const at::Tensor in_memory = plan.model->logits(pipeline.hidden().quantized);
        const at::Tensor reopened = reopened_logits(run.output_dir, ids, plan.model->options(), plan.batch_size);
        QVERIFY2(at::equal(in_memory, reopened), concat("largest difference ", (in_memory - reopened).abs().max().item<double>()).c_str());
        QVERIFY(!at::equal(reopened, reopened_logits(run.model_dir, ids, plan.model->options(), plan.batch_size)));
    }
    void what_was_tuned_reopens_data() {
        QTest::addColumn<QString>("scheme");
        for (const char* scheme : {"W8A8", "FP8", "FP8_BLOCK", "NVFP4", "MXFP4", "MXFP8"}) QTest::newRow(scheme) << scheme;
    }
    void what_was_tuned_reopens() {
        QFETCH(QString, scheme);
        RunConfig run = config(llama, ignoring_head(concat("iters: 2, scheme: ", scheme.toStdString())));
        run.recipe_yaml.replace(run.recipe_yaml.find("QuantizationModifier"), 20, "AutoRoundModifier");
        Listener listener;
        RunControl control;
        RunReporter reporter(listener, control);
        RunPlan plan = prepare_run(run);
        CalibrationPipeline pipeline(plan, reporter);
        pipeline.run();
        const at::Tensor ids = at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len});
        const at::Tensor in_memory = plan.model->logits(pipeline.hidden().quantized);
        QVERIFY(at::equal(in_memory, reopened_logits(run.output_dir, ids, plan.model->options(), plan.batch_size)));
    }

    void without_iterations_auto_round_searches_scales() {
        const auto sqnr = [&](const std::string& modifier, const std::string& fields) {
            dir_ = std::make_unique<QTemporaryDir>();
            RunConfig run = config(llama, ignoring_head(concat(group("weights: {num_bits: 3, strategy: group, group_size: 64}"), fields)));
            run.recipe_yaml.replace(run.recipe_yaml.find("QuantizationModifier"), 20, modifier);
            Listener listener;
            RunControl control;
            run_calibration(run, listener, control);
            return listener.sqnr;
        };
        const std::vector<double> nearest = sqnr("QuantizationModifier", ""), searched = sqnr("AutoRoundModifier", ", iters: 0");
        QCOMPARE(searched.size(), nearest.size());
        for (size_t i = 0; i < nearest.size(); ++i)
            QVERIFY2(searched[i] > nearest[i] + 0.5, concat(searched[i], " dB against ", nearest[i]).c_str());
        QCOMPARE(sqnr("AutoRoundModifier", ", iters: 0, disable_opt_rtn: true"), nearest);
        QCOMPARE(sqnr("AutoRoundModifier", ", iters: 0, weight_observer: mse"), sqnr("QuantizationModifier", ", weight_observer: mse"));
    }

    /// Scales of the cache belong to no module with a weight.
    static int64_t untold_bytes(const fs::path& directory) {
        const Checkpoint checkpoint(directory);
        int64_t bytes = 0;
        for (const auto& name : checkpoint.names())
            for (const char* ending : {".k_scale", ".v_scale", ".k_zero_point", ".v_zero_point"})
                if (name.ends_with(ending)) bytes += checkpoint.entry(name).num_bytes();
        return bytes;
    }

    void a_cache_scale_covers_what_passed() {
        const RunConfig run = config(llama, "kv_cache_scheme: {num_bits: 8, strategy: attn_head, observer: static_minmax}");
        ExportFormatsTest::run(run);
        const Checkpoint exported(run.output_dir);
        const at::Tensor scale = exported.tensor("model.layers.1.self_attn.k_scale");
        QCOMPARE(scale.sizes().vec(), (std::vector<int64_t>{2, 1, 1}));
        QVERIFY(scale.scalar_type() == at::kBFloat16);

        // The same samples through the float model.
        const at::NoGradGuard no_grad;
        const RunPlan plan = prepare_run([&] { RunConfig again = run; again.output_dir.clear(); return again; }());
        at::Tensor hidden = plan.model->embed(at::tensor(plan.samples.input_ids).view({plan.samples.num_samples, plan.samples.seq_len}));
        hidden = plan.model->load_block(0)->forward(hidden, {});
        const auto block = plan.model->load_block(1);
        at::Tensor largest;
        block->key_value_taps()->key.on_states = [&](const at::Tensor& keys) { largest = keys.abs().amax({0, 2, 3}); };
        (void)block->forward(hidden, {});
        QVERIFY(at::allclose(scale.flatten().to(at::kFloat), largest / 127.5, 1e-2, 0));
        QCOMPARE(read_json(run.output_dir / "config.json")["quantization_config"]["kv_cache_scheme"]["strategy"].get<std::string>(), "attn_head");
    }

    void embeddings_are_untied_only_when_they_differ() {
        const auto export_with = [&](const std::string& fields) {
            dir_ = std::make_unique<QTemporaryDir>();
            const RunConfig run = config(moe, fields);
            ExportFormatsTest::run(run);
            return run.output_dir;
        };
        const fs::path apart = export_with("config_groups: {h: {targets: [lm_head], weights: " + int4 + "}}");
        QCOMPARE(read_json(apart / "config.json")["tie_word_embeddings"].get<bool>(), false);
        QVERIFY(Checkpoint(apart).contains("lm_head.weight_packed"));
        const fs::path same = export_with("config_groups: {e: {targets: [Embedding, lm_head], weights: " + int4 + "}}");
        QCOMPARE(read_json(same / "config.json")["tie_word_embeddings"].get<bool>(), true);
        QVERIFY(!Checkpoint(same).contains("lm_head.weight_packed"));
    }

    void an_activation_that_is_not_finite_is_named() {
        const fs::path broken = fs::path(dir_->path().toStdString()) / "broken";
        fs::copy(demo / llama, broken);
        {
            const SafetensorsFile source(demo / llama / "model.safetensors");
            std::vector<NamedTensor> tensors;
            for (const auto& [name, entry] : source.entries()) tensors.push_back({name, source.tensor(name).clone()});
            for (auto& [name, tensor] : tensors)
                if (name == "model.layers.1.input_layernorm.weight") tensor[7].fill_(std::numeric_limits<float>::infinity());
            write_safetensors(broken / "model.safetensors", tensors);
        }
        RunConfig run = config(llama, ignoring_head("scheme: FP8"));
        run.model_dir = broken;
        const QString error = error_of(run);
        QVERIFY2(error.startsWith("model.layers.1.self_attn.q_proj: input contains") && error.contains(" 80 infinite values"), qPrintable(error));
        QVERIFY(!fs::exists(run.output_dir));
    }

    void result_counts_tokens() {
        RunConfig run = config(moe, ignoring_head("scheme: W8A16"));
        run.run_dir = fs::path(dir_->path().toStdString()) / "run";
        ExportFormatsTest::run(run);
        const auto tokens = read_json(run.run_dir / "result.json")["tokens"];
        QCOMPARE(tokens["model.layers.0.self_attn.q_proj"].get<int>(), 3 * 40);
        int64_t routed = 0;
        for (int expert = 0; expert < 8; ++expert) routed += tokens[concat("model.layers.0.mlp.experts.", expert, ".up_proj")].get<int64_t>();
        QCOMPARE(routed, 2 * 3 * 40);
    }

    void what_cannot_be_stored_is_refused_data() {
        QTest::addColumn<QString>("fields");
        QTest::addColumn<QString>("reason");
        const auto add = [](const char* name, const std::string& fields, const char* reason) { QTest::newRow(name) << QString::fromStdString(fields) << reason; };
        add("dynamic weights", group("weights: {num_bits: 8, strategy: tensor, dynamic: true}"), "remove `dynamic`");
        add("static inputs per group", group("weights: {num_bits: 8, strategy: channel}, input_activations: {num_bits: 8, group_size: 64}"), "one scale per tensor, not per group");
        add("activations of an embedding", "scheme: {W8A8: [Embedding]}", "looks up token ids");
        add("cache per group", "kv_cache_scheme: {num_bits: 8, strategy: group, group_size: 32}", "one for every head");
        add("part of a fused group", "scheme: NVFP4, ignore: [lm_head, 're:.*k_proj']", "need all fused layers to have same quantization");
    }
    void what_cannot_be_stored_is_refused() {
        QFETCH(QString, fields);
        QFETCH(QString, reason);
        const RunConfig run = config(llama, fields.toStdString());
        const QString error = error_of(run);
        QVERIFY2(error.contains(reason), qPrintable(error));
        QVERIFY(!check_before_run(run).ok());  // and the check before a run says the same
        QVERIFY(QString::fromStdString(to_json(check_before_run(run)).dump()).contains(reason));
    }

    void an_extension_is_marked_in_the_exported_recipe() {
        const RunConfig run = config(llama, ignoring_head("scheme: W8A8, weight_observer: histogram"));
        const PreflightReport report = check_before_run(run);
        QVERIFY(report.ok());
        QVERIFY(to_json(report).dump().find("histogram is an extension of Calibench") != std::string::npos);
        ExportFormatsTest::run(run);
        std::ifstream stream(run.output_dir / "recipe.yaml");
        std::string first;
        std::getline(stream, first);
        QVERIFY2(first.starts_with("# Extension: the observer histogram"), first.c_str());
        QVERIFY(parse_recipe(read_recipe_file(run.output_dir / "recipe.yaml")).recipe.has_value());
    }
};

QTEST_GUILESS_MAIN(ExportFormatsTest)
#include "tst_export_formats.moc"
