#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>

#include <ATen/ATen.h>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QTest>

#include "core/analysis/overview.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run.h"
#include "core/recipe/recipe.h"
#include "tests/core/analysis/edited_model.h"
#include "tests/core/analysis/planted_faults.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using namespace calibench::testing;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const std::string llama = "tiny-llama-shakespeare", moe = "tiny-qwen3-moe-shakespeare";
const std::string w4 = "QuantizationModifier: {ignore: [lm_head], config_groups: {a: {targets: [Linear], weights: {num_bits: 4, type: int, strategy: group, group_size: 64}}}}";

std::string recipe_yaml(const std::string& modifier) { return concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n"); }

}  // namespace

/// Faults are planted, and each has to be in the first row, with its reason.
class OverviewTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const std::string& name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] fs::path copy_of(const std::string& model) const {
        fs::copy(demo / model, path(model));
        return path(model);
    }
    [[nodiscard]] RunConfig config(const fs::path& model, const std::string& modifier) const {
        RunConfig config;
        config.model_dir = model;
        config.recipe_yaml = recipe_yaml(modifier);
        config.output_dir = path("out");
        config.num_samples = 4;
        config.seq_len = 64;
        config.device = "cpu";
        config.dtype = "float32";
        config.threads = 1;
        return config;
    }
    static void run(const RunConfig& config) {
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
    }
    static OverviewRequest request(const fs::path& model, const std::string& modifier) {
        const ParsedRecipe parsed = parse_recipe(recipe_yaml(modifier));
        return {.model_dir = model, .modules = resolve_recipe(*parsed.recipe, inspect_model(model)).modules, .checkpoint_dir = {}, .run_dir = {}};
    }
    static std::vector<ModuleOverview> inspect(const OverviewRequest& request) {
        RunControl control;
        auto modules = inspect_modules(request, control);
        std::stable_sort(modules.begin(), modules.end(), [](const auto& a, const auto& b) { return a.badness > b.badness; });
        return modules;
    }
    /// The export of the demo, rounded to nearest, with a fault planted in it.
    std::vector<ModuleOverview> inspect_faulty_export(const std::function<void(const fs::path&)>& plant) {
        run(config(demo / llama, w4));
        plant(path("out"));
        OverviewRequest request = this->request(demo / llama, w4);
        request.checkpoint_dir = path("out");
        return inspect(request);
    }
    static void compare(const ModuleOverview& row, const std::string& module, const char* reason) {
        QCOMPARE(row.weight.module, module);
        QVERIFY2(QString::fromStdString(row.reason).contains(QRegularExpression(reason)), row.reason.c_str());
    }

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void accuses_nobody_where_nothing_is_wrong_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("modifier");
        QTest::addRow("W4") << QString::fromStdString(llama) << QString::fromStdString(w4);
        QTest::addRow("experts, embedding and head") << QString::fromStdString(moe)
                                                     << "QuantizationModifier: {targets: [Linear, Embedding], config_groups: {a: {targets: [Linear, Embedding], "
                                                        "weights: {num_bits: 8, type: int, strategy: channel}}}}";
        QTest::addRow("NVFP4") << QString::fromStdString(llama) << "QuantizationModifier: {ignore: [lm_head], scheme: NVFP4A16}";
    }
    void accuses_nobody_where_nothing_is_wrong() {
        QFETCH(QString, model);
        QFETCH(QString, modifier);
        const OverviewRequest asked = request(demo / model.toStdString(), modifier.toStdString());
        RunControl control;
        std::vector<std::string> told;
        double told_fraction = 0;
        const auto modules = inspect_modules(asked, control, [&](const ModuleOverview& module, double fraction) {
            told.push_back(module.weight.module);
            QVERIFY(fraction > told_fraction);
            told_fraction = fraction;
        });
        QCOMPARE(told_fraction, 1.0);
        QCOMPARE(modules.size(), asked.modules.size());
        for (size_t i = 0; i < modules.size(); ++i) {
            QCOMPARE(modules[i].weight.module, asked.modules[i].name);
            QCOMPARE(told[i], asked.modules[i].name);
            QVERIFY2(modules[i].badness < 6, concat(told[i], ": ", modules[i].badness, " ", modules[i].reason).c_str());
            const WeightRequest alone{.model_dir = asked.model_dir, .module = told[i], .weights = asked.modules[i].scheme.weights};
            if (i % 7 == 0) QCOMPARE(modules[i].weight.sqnr_db, inspect_weight(alone)->facts().sqnr_db);
        }
    }

    void finds_a_scale_a_thousand_times_too_large() {
        const auto modules = inspect_faulty_export(plant_large_scale);
        compare(modules[0], "model.layers.2.mlp.up_proj", "^the largest of its 3072 scales is (99[5-9]|100[0-5]) times their median$");
        QVERIFY(modules[0].badness > 20);
        QVERIFY(modules[1].badness < 6);
    }

    void finds_a_constant_projection_data() {
        QTest::addColumn<QString>("tensor");
        QTest::addColumn<int>("value");
        QTest::addRow("all levels zero") << "weight_packed" << int(0x88888888);
        QTest::addRow("all levels equal") << "weight_packed" << int(0xbbbbbbbb);
        QTest::addRow("scale zero") << "weight_scale" << 0;
    }
    void finds_a_constant_projection() {
        QFETCH(QString, tensor);
        QFETCH(int, value);
        const std::string o_proj = "model.layers.1.self_attn.o_proj";
        const auto modules = inspect_faulty_export([&](const fs::path& out) { plant_constant_tensor(out, concat(o_proj, ".", tensor.toStdString()), value); });
        compare(modules[0], o_proj, "^all 256 rows quantize to a constant, though their values differ$");
        QVERIFY(modules[1].badness < 6);
    }

    void finds_a_weight_that_is_constant_itself() {
        const fs::path model = copy_of(llama);
        const std::string o_proj = "model.layers.1.self_attn.o_proj";
        replace_tensor(model, o_proj + ".weight", at::full({256, 256}, 0.5).to(at::kBFloat16));
        compare(inspect(request(model, w4))[0], o_proj, "^all values of its weight are 0.5$");
    }

    void finds_a_weight_that_is_not_finite() {
        const fs::path model = copy_of(llama);
        const std::string o_proj = "model.layers.1.self_attn.o_proj";
        at::Tensor weight = stored_tensor(model, o_proj + ".weight").clone();
        weight[4][5] = std::numeric_limits<float>::infinity();
        replace_tensor(model, o_proj + ".weight", weight);
        const auto modules = inspect(request(model, w4));
        compare(modules[0], o_proj, "contains 0 NaN and 1 infinite values");
        QCOMPARE(modules[0].problem, modules[0].reason);
        QVERIFY(modules[1].badness < 6);
    }

    void finds_a_channel_of_outliers_in_the_inputs_data() {
        QTest::addColumn<QString>("modifier");
        QTest::addRow("inputs left as they are") << QString::fromStdString(w4);
        QTest::addRow("quantized inputs") << "QuantizationModifier: {ignore: [lm_head], scheme: W8A8}";
        QTest::addRow("static inputs") << "QuantizationModifier: {ignore: [lm_head], config_groups: {a: {targets: [Linear], weights: {num_bits: 8, type: int, "
                                          "strategy: channel}, input_activations: {num_bits: 8, type: int, strategy: tensor, dynamic: false}}}}";
    }
    void finds_a_channel_of_outliers_in_the_inputs() {
        QFETCH(QString, modifier);
        const fs::path model = copy_of(llama);
        const std::string mlp = "model.layers.2.mlp.";
        plant_loud_neuron(model);

        RunConfig config = this->config(model, modifier.toStdString());
        config.dataset = demo / "shakespeare.txt";
        config.run_dir = path("run");
        run(config);
        OverviewRequest request = this->request(model, modifier.toStdString());
        request.run_dir = config.run_dir;
        const auto modules = inspect(request);
        compare(modules[0], mlp + "down_proj", "^one of its 768 input channels is \\d{3,} times as large as their median, where [\\d.]+ times is usual$");
        QVERIFY(modules[0].output.has_value());
        QCOMPARE(modules[0].input_answer.has_value(), modifier != QString::fromStdString(w4));
    }

    void tells_what_a_run_at_work_has_finished() {
        RunConfig config = this->config(demo / llama, w4);
        config.run_dir = path("run");
        Recorder recorder;
        RunControl control;
        recorder.react = [&](const RunEvent& event) {
            if (const auto* block = std::get_if<BlockStarted>(&event); block && block->block == 3) control.request_cancel();
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, run_calibration(config, recorder, control));
        OverviewRequest request = this->request(demo / llama, w4);
        request.run_dir = config.run_dir;
        const auto modules = inspect(request);
        QCOMPARE(modules.size(), size_t(28));
        for (size_t i = 0; i < modules.size(); ++i) QCOMPARE(modules[i].problem.empty(), i < 21);  // pending ones last
        QVERIFY(modules.back().reason.starts_with(config.run_dir.string() + " holds nothing of model.layers.3."));
    }

    void can_be_cancelled() {
        RunControl control;
        int told = 0;
        QVERIFY_THROWS_EXCEPTION(Cancelled, inspect_modules(request(demo / llama, w4), control, [&](const ModuleOverview&, double) {
            if (++told == 3) control.request_cancel();
        }));
        QCOMPARE(told, 3);
    }
};

QTEST_GUILESS_MAIN(OverviewTest)
#include "tst_overview.moc"
