#include <QtTest/QTest>

#include "core/base/error.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

ResolvedRecipe resolve(const std::string& modifiers, const ModelSummary& model = llama_summary()) {
    const ParsedRecipe parsed = parse_recipe("default_stage:\n  default_modifiers:\n" + modifiers);
    if (!parsed.recipe) qFatal("%s", all_text(parsed.diagnostics).c_str());
    return resolve_recipe(*parsed.recipe, model);
}

}  // namespace

class TestRecipeResolver : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void targets_match_as_in_python_data() {
        QTest::addColumn<QString>("target");
        QTest::addColumn<bool>("matches");
        QTest::newRow("name") << "model.layers.1.mlp.up_proj" << true;
        QTest::newRow("class") << "Linear" << true;
        QTest::newRow("last part") << "up_proj" << false;
        QTest::newRow("part of the class") << "Lin" << false;
        QTest::newRow("from the start") << "re:model" << true;
        QTest::newRow("not from within") << "re:layers" << false;
        QTest::newRow("second alternative is anchored too") << "re:x|layers" << false;
        QTest::newRow("dots match anything") << "re:model.layers.1.mlp.up.proj$" << true;
        QTest::newRow("group") << "re:.*\\.(gate|up)_proj$" << true;
        QTest::newRow("named group") << "re:.*(?P<part>up)_(?P=part)?proj" << true;
        QTest::newRow("look-ahead") << "re:(?!.*down).*_proj$" << true;
        QTest::newRow("class names are no patterns' business") << "re:Linear" << false;
        QTest::newRow("empty pattern") << "re:" << true;
    }

    void targets_match_as_in_python() {
        QFETCH(QString, target);
        QFETCH(bool, matches);
        QCOMPARE(matches_target(target.toStdString(), "model.layers.1.mlp.up_proj", "Linear"), matches);
    }

    void bad_patterns_throw() { QVERIFY_EXCEPTION_THROWN((void)matches_target("re:*", "a", "b"), InputError); }

    void group_sizes_that_do_not_divide_name_those_that_do() {
        const ResolvedRecipe resolved = resolve("    AutoRoundModifier:\n      ignore: [lm_head]\n      scheme: W4A16\n");
        QVERIFY(resolved.has_errors());
        QCOMPARE(all_text(resolved.diagnostics),
                 std::string("line 5: error: group_size 128 does not divide 576 columns of 180 modules (model.layers.0.self_attn.q_proj, "
                             "model.layers.0.self_attn.k_proj, model.layers.0.self_attn.v_proj and 177 more). Use 64, 32 or channel.\n"));
        QCOMPARE(resolved.modules.size(), size_t(210));
        QCOMPARE(resolved.ignored, std::vector<std::string>{"lm_head"});
    }

    void no_size_fits_an_odd_width() {
        const ResolvedRecipe resolved = resolve("    QuantizationModifier: {scheme: W4A16, ignore: [lm_head]}\n",
                                                llama_summary({.num_blocks = 1, .hidden = 100, .intermediate = 128}));
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "does not divide 100 columns of 6 modules");
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "Use channel.");
    }

    void bypassing_the_check_does_not_help() {
        const ResolvedRecipe resolved = resolve("    QuantizationModifier: {scheme: W4A16, bypass_divisibility_checks: true}\n");
        QVERIFY(resolved.has_errors());
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "bypass_divisibility_checks cannot help");
    }

    void unmatched_targets_are_errors_with_a_suggestion_data() {
        QTest::addColumn<QString>("target");
        QTest::addColumn<QString>("expected");
        QTest::newRow("last part") << "down_proj" << "line 3: error: target down_proj matches none of the 273 modules; did you mean re:.*down_proj$";
        QTest::newRow("two parts") << "mlp.down_proj" << "did you mean re:.*mlp\\.down_proj$";
        QTest::newRow("parent") << "model.layers.0.mlp" << "did you mean re:model\\.layers\\.0\\.mlp\\.";
        QTest::newRow("inner part") << "self_attn" << "did you mean re:.*\\.self_attn\\.";
        QTest::newRow("typing error") << "Linaer" << "did you mean Linear";
        QTest::newRow("pattern") << "re:down_proj" << "a pattern must match from the start of the full name";
        QTest::newRow("norms only") << "re:.*layernorm" << "target re:.*layernorm matches 60 modules, but no Linear or Embedding";
    }

    void unmatched_targets_are_errors_with_a_suggestion() {
        QFETCH(QString, target);
        QFETCH(QString, expected);
        const ResolvedRecipe resolved = resolve("    QuantizationModifier: {scheme: W8A8, targets: [Linear, '" + target.toStdString() + "']}\n");
        VERIFY_CONTAINS(all_text(resolved.diagnostics), expected.toStdString());
        QCOMPARE(resolved.diagnostics.size(), size_t(1));
        QCOMPARE(resolved.targets.size(), size_t(2));
        QCOMPARE(resolved.targets[0].matched, size_t(211));
        QCOMPARE(resolved.targets[1].matched, size_t(0));
    }

    void unmatched_ignores_are_warnings() {
        ModelSummary model = llama_summary();
        ResolvedRecipe resolved = resolve("    QuantizationModifier:\n      scheme: W8A8\n      ignore:\n      - lm_head\n      - down_proj\n", model);
        QCOMPARE(all_text(resolved.diagnostics),
                 std::string("line 7: warning: ignore down_proj matches none of the 273 modules; did you mean re:.*down_proj$\n"));
        QVERIFY(!resolved.has_errors());

        model.modules.pop_back();  // a tied head need not be listed, and ignoring it is no mistake
        resolved = resolve("    QuantizationModifier: {scheme: W8A8, ignore: [lm_head]}\n", model);
        QCOMPARE(all_text(resolved.diagnostics), std::string());
        model.tied_embeddings = false;
        resolved = resolve("    QuantizationModifier: {scheme: W8A8, ignore: [lm_head]}\n", model);
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "warning: ignore lm_head matches none");
    }

    void the_more_specific_target_decides() {
        const ResolvedRecipe resolved = resolve(R"(    QuantizationModifier:
      ignore: [lm_head]
      config_groups:
        all: {targets: [Linear], weights: {num_bits: 8}}
        one: {targets: ['model.layers.0.mlp.up_proj'], weights: {num_bits: 2}}
        mlp: {targets: ['re:.*mlp.*'], weights: {num_bits: 4}}
)");
        QCOMPARE(resolved.find("model.layers.0.self_attn.q_proj")->config_group, std::string("all"));
        QCOMPARE(resolved.find("model.layers.0.mlp.up_proj")->config_group, std::string("one"));
        QCOMPARE(resolved.find("model.layers.0.mlp.gate_proj")->config_group, std::string("mlp"));
        QVERIFY(!resolved.find("lm_head"));
        QVERIFY(!resolved.has_errors());
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "line 6: note: 89 modules (model.layers.0.mlp.gate_proj, ");
    }

    void only_linear_and_embedding_get_schemes() {
        const ResolvedRecipe resolved = resolve("    QuantizationModifier: {scheme: W8A8, targets: ['re:.*']}\n");
        QCOMPARE(resolved.modules.size(), size_t(212));
        QCOMPARE(resolved.modules.front().name, std::string("model.embed_tokens"));
        QCOMPARE(resolve("    QuantizationModifier: {scheme: W8A8, targets: [Embedding]}\n").modules.size(), size_t(1));
        QCOMPARE(resolve("    QuantizationModifier: {scheme: W8A8}\n").modules.size(), size_t(211));
    }

    void the_last_of_several_modifiers_decides() {
        const ResolvedRecipe resolved = resolve(R"(    QuantizationModifier: {scheme: W8A8, ignore: [lm_head]}
    AutoRoundModifier:
      targets: ['re:.*mlp.*']
      config_groups:
        g: {targets: ['re:.*mlp.*'], weights: {num_bits: 4, group_size: 64}}
)");
        QCOMPARE(resolved.find("model.layers.0.mlp.up_proj")->modifier, size_t(1));
        QCOMPARE(resolved.find("model.layers.0.self_attn.q_proj")->modifier, size_t(0));
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "line 4: warning: 90 modules (model.layers.0.mlp.gate_proj, ");
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "targeted by QuantizationModifier on line 3 too; the last modifier decides");
    }

    void what_cannot_be_tuned_is_refused() {
        const std::string wide = "    AutoRoundModifier:\n      config_groups: {g: {targets: [Linear], weights: {num_bits: 16}}}\n";
        const std::string found = all_text(resolve(wide).diagnostics);
        VERIFY_CONTAINS(found, "line 4: error: AutoRoundModifier tunes integer weights of 2 to 8 bits");
        VERIFY_CONTAINS(found, "use QuantizationModifier for it, or iters: 0");
        QVERIFY(!resolve(wide + "      iters: 0\n").has_errors());
        for (const char* scheme : {"W8A8", "FP8", "FP8_DYNAMIC", "FP8_BLOCK", "NVFP4", "MXFP4", "MXFP8"})
            QVERIFY2(!resolve(concat("    AutoRoundModifier: {scheme: ", scheme, ", ignore: [lm_head]}\n"), llama_summary({.hidden = 512})).has_errors(), scheme);
    }

    void unknown_observers_are_refused() {
        const std::string found = all_text(resolve("    QuantizationModifier:\n      scheme: W8A16\n      weight_observer: memoryless_minmix\n      ignore: [lm_head]\n",
                                                   llama_summary({.hidden = 512})).diagnostics);
        VERIFY_CONTAINS(found, "line 4: error: ");
        VERIFY_CONTAINS(found, "memoryless_minmax");
    }

    void a_recipe_without_effect_is_refused() {
        const ResolvedRecipe resolved = resolve("    QuantizationModifier: {scheme: W8A8, ignore: ['re:.*']}\n");
        QVERIFY(resolved.modules.empty());
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "error: the recipe quantizes no module of this model");
    }

    void many_modules_and_names_stay_quick() {
        ModelSummary model;
        Recipe recipe{.modifiers = {Modifier{.class_name = "QuantizationModifier"}}};
        Modifier& modifier = recipe.modifiers[0];
        modifier.config_groups = {{"group_0", preset_scheme("W8A8", {"Linear"})}};
        for (int i = 0; i < 60'000; ++i) {
            model.modules.push_back({.name = concat("model.layers.0.mlp.experts.", i, ".up_proj"), .class_name = "Linear", .shape = {8, 128}});
            if (i % 2) modifier.ignore.push_back(model.modules.back().name);
        }
        QCOMPARE(resolve_recipe(recipe, model).modules.size(), size_t(30'000));
    }
};

QTEST_APPLESS_MAIN(TestRecipeResolver)
#include "tst_recipe_resolver.moc"
