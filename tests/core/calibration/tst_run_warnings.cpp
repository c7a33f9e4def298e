#include <limits>

#include <ATen/ATen.h>
#include <QTest>

#include "core/base/run_control.h"
#include "core/calibration/run.h"
#include "core/calibration/run_warnings.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using testing::Recorder;
namespace fs = std::filesystem;

namespace {

const std::string up = "model.layers.1.mlp.up_proj", gate = "model.layers.1.mlp.gate_proj", down = "model.layers.1.mlp.down_proj";

bool says(const Warning& warning, const char* words) {
    return warning.message.find(words) != std::string::npos;
}

}  // namespace

class RunWarningsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void a_few_columns_of_a_weight() {
        const at::Tensor even = at::linspace(-1, 1, 16 * 200).view({16, 200});
        at::Tensor wild = even.clone();
        wild[3][7] = 2.5;  // the others reach 40 % of it
        RunWarnings warnings;
        warnings.see_weight(1, up, even);
        QVERIFY(warnings.take().empty());
        warnings.see_weight(1, up, wild);
        auto found = warnings.take();
        QCOMPARE(found.size(), 1u);
        QVERIFY(found[0].kind == Warning::Kind::Outliers);
        QCOMPARE(found[0].module, up);
        QVERIFY2(says(found[0], "60 %") && says(found[0], "more bits"), found[0].message.c_str());
        warnings.see_weight(1, up, wild);
        QVERIFY(warnings.take().empty());  // said once
    }

    void outliers_among_inputs_share_a_sentence() {
        const ValueRange tame{-4, 4, -3, 3}, wild{-100, 50, -3, 3};
        RunWarnings warnings;
        warnings.see_inputs(1, down, tame, true);
        warnings.see_inputs(1, down, wild, false);  // nobody quantizes them
        QVERIFY(warnings.take().empty());
        warnings.see_inputs(1, gate, wild, true);
        warnings.see_inputs(1, up, wild, true);
        const auto found = warnings.take();
        QCOMPARE(found.size(), 1u);
        QCOMPARE(found[0].module, "model.layers.1");
        QVERIFY(found[0].kind == Warning::Kind::Outliers);
        QVERIFY2(says(found[0], "gate_proj, model.layers.1.mlp.up_proj") && says(found[0], "96 %"), found[0].message.c_str());
    }

    void static_scales_that_clip() {
        const ValueRange passed{-10, 30, -8, 20};
        RunWarnings warnings;
        warnings.see_static_range(1, up, passed, {-9, 25});  // only outliers are clipped
        QVERIFY(warnings.take().empty());
        warnings.see_static_range(1, up, passed, {-9, 16});
        const auto found = warnings.take();
        QCOMPARE(found.size(), 1u);
        QVERIFY(found[0].kind == Warning::Kind::ClippedRange);
        QVERIFY2(says(found[0], "10 %") && says(found[0], "static_minmax"), found[0].message.c_str());
    }

    void inputs_that_are_not_finite() {
        RunWarnings warnings;
        warnings.see_inputs(1, up, {-1, std::numeric_limits<double>::infinity(), -1, 1}, false);
        const auto found = warnings.take();
        QCOMPARE(found.size(), 1u);
        QVERIFY(found[0].kind == Warning::Kind::NotFinite);
        QVERIFY(says(found[0], "float32"));
    }

    void starved_experts() {
        RunWarnings warnings;
        for (int expert = 0; expert < 8; ++expert)
            for (const char* projection : {".gate_proj", ".up_proj", ".down_proj"})
                warnings.see_tokens("model.layers.1.mlp.experts." + std::to_string(expert) + projection, expert, expert == 2 || expert == 5 ? 7 : 100);
        const auto found = warnings.take();
        QCOMPARE(found.size(), 1u);
        QVERIFY(found[0].kind == Warning::Kind::StarvedExpert);
        QCOMPARE(found[0].module, "model.layers.1.mlp.experts");
        QVERIFY2(says(found[0], "experts 2, 5 got less than 10 % of the 77 tokens"), found[0].message.c_str());
        for (int expert = 0; expert < 8; ++expert) warnings.see_tokens("model.layers.2.mlp.experts." + std::to_string(expert) + ".up_proj", expert, expert ? 100 : 10);
        QVERIFY(warnings.take().empty());  // 11 % of the mean
    }

    void tuning_without_gain() {
        RunWarnings warnings;
        warnings.see_tuning({"model.layers.0", 200, 0.005, 1.0, 0.5, 180});  // as it should be
        warnings.see_tuning({"model.layers.1", 200, 0.005, 1.0, 0.5, 20});   // an easy batch; the rate is not high
        warnings.see_tuning({"model.layers.2", 10, 0.1, 1.0, 1.0, 0});       // too short to tell
        QVERIFY(warnings.take().empty());
        warnings.see_tuning({"model.layers.3", 200, 0.005, 1.0, 1.0, 0});
        warnings.see_tuning({"model.layers.4", 200, 0.05, 1.0, 0.9, 20});
        const auto found = warnings.take();
        QCOMPARE(found.size(), 2u);
        QVERIFY(found[0].kind == Warning::Kind::Plateau && found[1].kind == Warning::Kind::Plateau);
        QCOMPARE(found[0].module, "model.layers.3");
        QVERIFY2(says(found[0], "Try lr 0.0025 instead of 0.005"), found[0].message.c_str());
        QVERIFY2(says(found[1], "iteration 20 of 200 at lr 0.05") && says(found[1], "Try lr 0.005"), found[1].message.c_str());
    }

    void outputs_that_are_not_finite() {
        RunWarnings warnings;
        warnings.see_outputs_not_finite("model.layers.1");
        warnings.see_outputs_not_finite("model.layers.1");
        const auto found = warnings.take();
        QCOMPARE(found.size(), 1u);
        QVERIFY(found[0].kind == Warning::Kind::NotFinite);
    }

    /// Who opens the demo is not to be shouted at.
    void the_demo_models_are_mostly_well_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("modifier");
        for (const char* model : {"tiny-llama-shakespeare", "tiny-qwen3-moe-shakespeare"}) {
            QTest::addRow("W4A16 tuned, %s", model) << model << "AutoRoundModifier: {targets: [Linear], scheme: W4A16, ignore: [lm_head], iters: 20}";
            QTest::addRow("W8A8, %s", model) << model << "QuantizationModifier: {targets: [Linear], scheme: W8A8, ignore: [lm_head]}";
            QTest::addRow("FP8, %s", model) << model << "QuantizationModifier: {targets: [Linear], scheme: FP8, ignore: [lm_head]}";
        }
    }
    void the_demo_models_are_mostly_well() {
        QFETCH(QString, model);
        QFETCH(QString, modifier);
        const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
        RunConfig config;
        config.model_dir = demo / model.toStdString();
        config.dataset = demo / "shakespeare.txt";
        config.recipe_yaml = "quant_stage:\n  quant_modifiers:\n    " + modifier.toStdString() + "\n";
        config.num_samples = 32;
        config.seq_len = 64;
        config.device = "cpu";
        config.threads = 1;
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
        const auto warnings = recorder.all<Warning>();
        for (const auto& warning : warnings) qInfo("%s", warning.message.c_str());
        QVERIFY(warnings.size() <= 5);
    }
};

QTEST_GUILESS_MAIN(RunWarningsTest)
#include "tst_run_warnings.moc"
