#include <QTest>

#include "core/base/error.h"
#include "core/recipe/recipe.h"
#include "core/recipe/tuning_presets.h"

using namespace calibench;

class TestTuningPresets : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// auto_round/cli/main.py RECIPES, 0.15; "fast" as in 0.8.
    void say_what_auto_rounds_do() {
        QCOMPARE(tuning_presets.size(), size_t(4));
        const TuningPreset& best = tuning_preset("best");
        QVERIFY(best.iters == 1000 && best.batch_size == 8 && !best.lr && best.num_samples == 512 && best.seq_len == 2048);
        const TuningPreset& light = tuning_preset("light");
        QVERIFY(light.iters == 50 && light.lr == 5e-3 && light.num_samples == 128 && light.seq_len == 2048);
        const TuningPreset& fast = tuning_preset("fast");
        QVERIFY(fast.iters == 200 && fast.batch_size == 4 && !fast.lr && fast.seq_len == 512);
        const TuningPreset& normal = tuning_preset("default");
        QVERIFY(normal.iters == AutoRoundSettings{}.iters && normal.batch_size == AutoRoundSettings{}.batch_size);
    }

    void change_every_auto_round_and_nothing_else() {
        const std::string text = R"(# mine
a_stage:
  x_modifiers:
    AutoRoundModifier: {scheme: W4A16, iters: 7, lr: 0.1}  # short
    QuantizationModifier: {scheme: W8A16, targets: [x]}
b_stage:
  y_modifiers:
    AutoRoundModifier:
      scheme: W4A16
)";
        const std::string light = with_preset(text, tuning_preset("light"));
        QVERIFY(light.find("# mine") == 0 && light.find("# short") != std::string::npos);
        const std::string best = with_preset(light, tuning_preset("best"));
        for (const auto& [changed, preset] : {std::pair(light, "light"), std::pair(best, "best")}) {
            const ParsedRecipe parsed = parse_recipe(changed);
            QVERIFY2(parsed.recipe, changed.c_str());
            for (const size_t i : {0, 2}) {
                const auto& settings = std::get<AutoRoundSettings>(parsed.recipe->modifiers.at(i).settings);
                QCOMPARE(settings.iters, tuning_preset(preset).iters);
                QCOMPARE(settings.batch_size, tuning_preset(preset).batch_size);
                QVERIFY(settings.lr == tuning_preset(preset).lr);
            }
            QVERIFY(parsed.recipe->modifiers.at(1) == parse_recipe(text).recipe->modifiers.at(1));
        }
    }

    void refuse_what_they_have_no_say_in() {
        QVERIFY_EXCEPTION_THROWN((void)tuning_preset("quick"), InputError);
        QVERIFY_EXCEPTION_THROWN((void)with_preset("a_stage: {x_modifiers: {QuantizationModifier: {scheme: W8A16}}}", tuning_preset("best")), InputError);
        QVERIFY_EXCEPTION_THROWN((void)with_preset("a_stage: [", tuning_preset("best")), InputError);
    }
};

QTEST_GUILESS_MAIN(TestTuningPresets)
#include "tst_tuning_presets.moc"
