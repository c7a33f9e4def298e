#include <QtTest/QTest>

#include <fstream>

#include <QTemporaryDir>

#include "core/base/error.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

/// One QuantizationModifier with the given lines below it; the first of them is line 4.
std::string with_fields(const std::string& fields, const std::string& modifier = "QuantizationModifier") {
    return "default_stage:\n  default_modifiers:\n    " + modifier + ":\n" + fields;
}

void add_error(const char* name, const std::string& yaml, const std::string& expected) {
    QTest::newRow(name) << QString::fromStdString(yaml) << QString::fromStdString(expected);
}

}  // namespace

class TestRecipeParser : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void reads_every_field_of_auto_round() {
        const ParsedRecipe parsed = parse_recipe(with_fields(R"(      iters: 12
      batch_size: 2
      lr: 5e-3
      enable_torch_compile: no
      disable_opt_rtn: true
      device_ids: "0,1"
      targets: Linear
      ignore: [lm_head, 're:.*\.0\..*']
      scheme: w4a16
      bypass_divisibility_checks: true
      index: 3
      start: 0
      end: 1.5
      requires_calibration_data: true
)", "AutoRoundModifier"));
        QVERIFY2(parsed.recipe, all_text(parsed.diagnostics).c_str());
        QCOMPARE(parsed.diagnostics.size(), size_t(0));
        const Modifier& modifier = parsed.recipe->modifiers.at(0);
        const auto& settings = std::get<AutoRoundSettings>(modifier.settings);
        QCOMPARE(settings.iters, int64_t(12));
        QCOMPARE(settings.batch_size, int64_t(2));
        QCOMPARE(*settings.lr, 0.005);
        QVERIFY(!settings.enable_torch_compile);
        QVERIFY(settings.disable_opt_rtn);
        QCOMPARE(*settings.device_ids, std::string("0,1"));
        QVERIFY(settings.enable_minmax_tuning && settings.enable_quanted_input && !settings.minmax_lr);
        QCOMPARE(modifier.line, 3);
        QCOMPARE(modifier.group, std::string("default"));
        QCOMPARE(*modifier.scheme, std::string("w4a16"));
        QCOMPARE(modifier.config_groups.at(0).second.weights->num_bits, 4);
        QCOMPARE(modifier.ignore.at(1), std::string("re:.*\\.0\\..*"));
        QCOMPARE(modifier.position("ignore/1").line, 11);
        QCOMPARE(modifier.position("ignore/1").column, 25);
        QVERIFY(modifier.bypass_divisibility_checks);
        QCOMPARE(*modifier.index, int64_t(3));
        QCOMPARE(*modifier.end, 1.5);
    }

    void applies_observers_as_the_mixin_does() {
        const ParsedRecipe parsed = parse_recipe(with_fields(R"(      observer: {weights: mse}
      config_groups:
        a: {targets: [Linear], weights: {num_bits: 8, observer: minmax}, input_activations: {num_bits: 8}}
        b: {targets: [x], weights: {num_bits: 8}, input_activations: {num_bits: 8, dynamic: true}}
)"));
        QVERIFY2(parsed.recipe, all_text(parsed.diagnostics).c_str());
        const auto& groups = parsed.recipe->modifiers.at(0).config_groups;
        QCOMPARE(groups.at(0).second.weights->observer.value(), std::string("mse"));
        QCOMPARE(groups.at(0).second.input_activations->observer.value(), std::string("minmax"));
        QVERIFY(!groups.at(1).second.input_activations->observer);
    }

    void gives_the_calibench_section_to_every_auto_round() {
        const ParsedRecipe parsed = parse_recipe(R"(calibench:
  minmax_lr: 0.01
  enable_minmax_tuning: false
  enable_quanted_input: false
  lr_scheduler: constant
  momentum: 0.5
  gradient_accumulate_steps: 4
  not_use_best_mse: true
  dynamic_max_gap: 30
  nblocks: 2
  effort: quick
  enable_alg_ext: true
  enable_lfq: true
  minmax_lrr: 1
a_stage:
  x_modifiers: {AutoRoundModifier: {scheme: W4A16}}
b_stage:
  x_modifiers: {AutoRoundModifier: {scheme: W8A16}, QuantizationModifier: {scheme: W8A8}}
)");
        QVERIFY2(parsed.recipe, all_text(parsed.diagnostics).c_str());
        QCOMPARE(parsed.recipe->stage, std::string("b"));
        QCOMPARE(parsed.recipe->modifiers.size(), size_t(3));
        for (const size_t i : {0, 1}) {
            const auto& settings = std::get<AutoRoundSettings>(parsed.recipe->modifiers[i].settings);
            QCOMPARE(*settings.minmax_lr, 0.01);
            QVERIFY(!settings.enable_minmax_tuning && !settings.enable_quanted_input && settings.not_use_best_mse);
            QVERIFY(settings.lr_scheduler == LrScheduler::Constant);
            QVERIFY(settings.effort == Effort::Quick);
            QCOMPARE(settings.momentum, 0.5);
            QCOMPARE(settings.gradient_accumulate_steps, int64_t(4));
            QCOMPARE(settings.dynamic_max_gap, int64_t(30));
            QCOMPARE(settings.nblocks, int64_t(2));
            QVERIFY(settings.enable_alg_ext && settings.enable_lfq);
        }
        QCOMPARE(all_text(parsed.diagnostics),
                 std::string("line 14: warning: calibench has no field 'minmax_lrr' (extra inputs are not permitted); did you mean minmax_lr?\n"));
    }

    void refuses_what_auto_round_has_and_calibench_has_not() {
        const auto found = [](const std::string& line) {
            return all_text(parse_recipe("calibench:\n  " + line + "\ns_stage: {x_modifiers: {AutoRoundModifier: {scheme: W4A16}}}\n").diagnostics);
        };
        QCOMPARE(found("enable_adam: true"),
                 std::string("line 2: error: Calibench has no enable_adam: it steps by the gradient's sign; remove it\n"));
        for (const char* option : {"enable_norm_bias_tuning", "enable_adam", "quant_lm_head"}) {
            VERIFY_CONTAINS(found(std::string(option) + ": true"), std::string("line 2: error: Calibench has no ") + option);
            QCOMPARE(found(std::string(option) + ": false"), std::string());
        }
        VERIFY_CONTAINS(found("lr_scheduler: cosine"), "line 2: error: lr_scheduler must be linear or constant, not 'cosine'");
        VERIFY_CONTAINS(found("effort: little"), "line 2: error: effort must be exact or quick, not 'little'");
        VERIFY_CONTAINS(found("momentum: -1"), "line 2: error: momentum must be a number of at least 0");
        VERIFY_CONTAINS(found("nblocks: 0"), "line 2: error: nblocks must be a whole number of at least 1");
        VERIFY_CONTAINS(found("gradient_accumulate_steps: 0"), "line 2: error: gradient_accumulate_steps must be a whole number of at least 1");
    }

    void merges_and_aliases() {
        const ParsedRecipe parsed = parse_recipe(R"(s_stage:
  q_modifiers:
    QuantizationModifier:
      config_groups:
        a: {targets: [x], weights: &int4 {num_bits: 4, group_size: 64}}
        b: {targets: [y], weights: {<<: *int4, num_bits: 8}}
        c: {targets: [z], weights: *int4}
)");
        QVERIFY2(parsed.recipe, all_text(parsed.diagnostics).c_str());
        const auto& groups = parsed.recipe->modifiers.at(0).config_groups;
        QCOMPARE(groups.at(1).second.weights->num_bits, 8);
        QCOMPARE(groups.at(1).second.weights->group_size.value(), int64_t(64));
        QVERIFY(groups.at(2).second.weights == groups.at(0).second.weights);
    }

    void reads_json_and_front_matter_at_their_lines() {
        const std::string json = "{\n\t\"s_stage\": {\n\t\t\"q_modifiers\": {\"QuantizationModifier\":{\"scheme\":\"W8A16\",\n\t\t\t\"typo\":1}}}}";
        VERIFY_CONTAINS(all_text(parse_recipe(json).diagnostics), "line 4: error: QuantizationModifier has no field 'typo'");
        std::string good = json;
        good.replace(good.find(",\n\t\t\t\"typo\":1"), 13, "");
        QVERIFY2(parse_recipe(good).recipe, all_text(parse_recipe(good).diagnostics).c_str());

        const std::string card = "# My recipe\n\n---\n" + with_fields("      scheme: W8A16\n      typo: 1\n") + "---\nSome *prose*: [unclosed\n";
        const std::string found = all_text(parse_recipe(card).diagnostics);
        VERIFY_CONTAINS(found, "line 8: error: QuantizationModifier has no field 'typo'");
        VERIFY_CONTAINS(found, "line 9: note: the text below this --- is not part of the recipe");
        QVERIFY(parse_recipe("---\n" + with_fields("      scheme: W8A16\n")).recipe);
        QVERIFY(parse_recipe("+++\n" + with_fields("      scheme: W8A16\n") + "+++").recipe);
    }

    void reads_older_spellings_with_a_note() {
        const ParsedRecipe bare = parse_recipe("test_stage:\n  modifiers:\n    QuantizationModifier: {scheme: W8A16}\n");
        QCOMPARE(bare.recipe->modifiers.at(0).group, std::string("test"));
        QCOMPARE(all_text(bare.diagnostics),
                 std::string("line 2: note: llm-compressor reads nothing under a bare 'modifiers'; saving names it test_modifiers\n"));
        const ParsedRecipe no_stage = parse_recipe("quant_modifiers:\n  QuantizationModifier: {scheme: W8A16}\n");
        QCOMPARE(no_stage.recipe->modifiers.at(0).group, std::string("quant"));
        VERIFY_CONTAINS(all_text(no_stage.diagnostics), "line 1: note: llm-compressor reads nothing of 'quant_modifiers' outside of a stage");
        QVERIFY(parse_recipe("modifiers: {QuantizationModifier: {scheme: W8A16}}").recipe);
    }

    void reports_all_errors_at_once_in_order() {
        const ParsedRecipe parsed = parse_recipe(with_fields(R"(      iters: many
      batch_size: 0
      lr: -1
      itters: 3
      enable_torch_compile: maybe
      device_ids: 0
      targets: ['re:(']
      scheme: W4A17
)", "AutoRoundModifier"));
        QVERIFY(!parsed.recipe);
        const std::string found = all_text(parsed.diagnostics);
        QCOMPARE(count_of(parsed.diagnostics, Diagnostic::Severity::Error), size_t(8));
        int last_line = 0;
        for (const Diagnostic& diagnostic : parsed.diagnostics) {
            QCOMPARE(diagnostic.line, ++last_line + 3);
            QVERIFY(diagnostic.column > 0);
        }
        VERIFY_CONTAINS(found, "line 4: error: iters must be a whole number of at least 0, not 'many'\n");
        VERIFY_CONTAINS(found, "line 5: error: batch_size must be a whole number of at least 1, not '0'\n");
        VERIFY_CONTAINS(found, "line 6: error: lr must be a number above 0, not '-1'\n");
        VERIFY_CONTAINS(found, "line 7: error: AutoRoundModifier has no field 'itters' (extra inputs are not permitted); did you mean iters?\n");
        VERIFY_CONTAINS(found, "line 9: error: device_ids must be text (put it in quotes), not '0'\n");
        VERIFY_CONTAINS(found, "line 10: error: 're:(' is no regular expression");
        VERIFY_CONTAINS(found, "did you mean W4A16?");
    }

    void errors_stand_at_their_line_data() {
        QTest::addColumn<QString>("yaml");
        QTest::addColumn<QString>("expected");
        add_error("empty", "", "error: the recipe is empty");
        add_error("comment only", "# nothing\n", "error: the recipe is empty");
        add_error("list", "- a\n", "line 1: error: a recipe is a map of stages, not a list");
        add_error("no modifier", "s_stage: {}\n", "error: the recipe has no modifier");
        add_error("stage is no map", "s_stage: 4\n", "line 1: error: s_stage must be a map of modifier groups, not '4'");
        add_error("group is a list", "s_stage:\n  q_modifiers:\n    - QuantizationModifier: {scheme: W8A8}\n",
                  "line 3: error: q_modifiers must be a map such as");
        add_error("near stage", "default_stag: {}\ns_stage: {q_modifiers: {QuantizationModifier: {scheme: W8A8}}}\n",
                  "line 1: warning: 'default_stag' is ignored, here and by llm-compressor: a stage's name ends in _stage; did you mean default_stage?");
        add_error("near group", "s_stage:\n  quant_modifier: {}\n", "line 2: warning: 'quant_modifier' is ignored");
        add_error("near modifier", "s_stage:\n  q_modifiers:\n    AutoroundModifier: {}\n",
                  "line 3: error: No modifier of type 'AutoroundModifier' found. Did you mean AutoRoundModifier?");
        add_error("foreign modifier", "s_stage:\n  q_modifiers:\n    GPTQModifier: {}\n", "line 3: error: GPTQModifier is llm-compressor's");
        add_error("no scheme", with_fields("      ignore: [lm_head]\n"), "line 3: error: QuantizationModifier says nothing of how to quantize");
        add_error("no arguments", "s_stage:\n  q_modifiers:\n    QuantizationModifier:\n", "line 3: error: QuantizationModifier says nothing");
        add_error("scheme and groups", with_fields("      scheme: W8A8\n      config_groups: {g: {targets: [Linear]}}\n"),
                  "line 5: error: Please specify either `scheme` or `config_groups`");
        add_error("unknown preset in a dictionary", with_fields("      scheme:\n        W8A8: [a]\n        FP7: [b]\n"),
                  "line 6: error: `scheme` must either be a preset scheme name or a dictionary of preset scheme names; 'FP7' is none of");
        add_error("ignore without a list", with_fields("      scheme: W8A8\n      ignore: lm_head\n"),
                  "line 5: error: ignore must be a list, [lm_head], not 'lm_head'");
        add_error("number among targets", with_fields("      scheme: W8A8\n      targets:\n        - Linear\n        - 4\n"),
                  "line 7: error: targets must be a list of texts, but holds '4'; put it in quotes");
        add_error("empty targets", with_fields("      scheme: W8A8\n      targets: []\n"), "has no target, so it quantizes nothing");
        add_error("group without targets", with_fields("      config_groups:\n        g: {weights: {num_bits: 4}}\n"),
                  "line 5: error: config group 'g' has no targets");
        add_error("preset as a group", with_fields("      config_groups:\n        W4A16: [Linear]\n"),
                  "line 5: error: config group 'W4A16' must be a map with targets and weights, not a list; a preset goes under `scheme`");
        add_error("unknown field of a group", with_fields("      config_groups:\n        g:\n          targets: [Linear]\n          weight: {num_bits: 4}\n"),
                  "line 7: error: config group 'g' has no field 'weight' (extra inputs are not permitted); did you mean weights?");
        add_error("unknown argument", with_fields("      config_groups:\n        g:\n          targets: [Linear]\n          weights:\n            num_bit: 4\n"),
                  "line 8: error: config group 'g': weights: num_bit: Extra inputs are not permitted; did you mean num_bits?");
        add_error("two wrong arguments, first",
                  with_fields("      config_groups:\n        g:\n          targets: [Linear]\n          weights:\n            num_bits: few\n            type: bool\n"),
                  "line 8: error: config group 'g': weights: num_bits: ");
        add_error("two wrong arguments, second",
                  with_fields("      config_groups:\n        g:\n          targets: [Linear]\n          weights:\n            num_bits: few\n            type: bool\n"),
                  "line 9: error: config group 'g': weights: type: 'bool' is not a valid QuantizationType");
        add_error("arguments that do not fit together",
                  with_fields("      config_groups:\n        g:\n          targets: [Linear]\n          weights:\n            num_bits: 4\n            strategy: group\n"),
                  "line 9: error: config group 'g': weights: strategy group requires group_size");
        add_error("kv cache", with_fields("      kv_cache_scheme:\n        strategy: nope\n"), "line 5: error: QuantizationModifier: kv_cache_scheme: strategy:");
        add_error("both observer forms", with_fields("      scheme: W8A8\n      weight_observer: mse\n      observer: {weights: mse}\n"),
                  "line 6: error: Cannot specify both individual observer parameters");
        add_error("unknown observer key", with_fields("      scheme: W8A8\n      observer: {weight: mse}\n"),
                  "line 5: error: observer has no field 'weight' (extra inputs are not permitted); did you mean weights?");
        add_error("duplicate key", with_fields("      scheme: W8A8\n      ignore: [a]\n      scheme: W4A16\n"),
                  "line 6: error: 'scheme' stands here a second time (first on line 4)");
        add_error("same class twice", "s_stage:\n  q_modifiers:\n    QuantizationModifier: {scheme: W8A8}\n    QuantizationModifier: {scheme: W8A8}\n",
                  "line 4: error: 'QuantizationModifier' stands here a second time");
        add_error("group field", with_fields("      scheme: W8A8\n      group: q\n"), "line 5: warning: llm-compressor stops at `group` here");
        add_error("bad pattern in ignore", with_fields("      scheme: W8A8\n      ignore:\n        - 're:[a'\n"), "line 6: error: 're:[a' is no regular expression");
        add_error("tab", "s_stage:\n\tq_modifiers: {}\n", "line 2: error: indent with spaces");
        add_error("unclosed list", with_fields("      targets: [Linear\n      scheme: W8A8\n"), "is not closed by ']'");
        add_error("unclosed quote", with_fields("      scheme: \"W8A8\n"), "a quote is opened but not closed");
        add_error("pattern in double quotes", with_fields("      targets: [\"re:.*\\.x\"]\n"),
                  "line 4: error: a '\\' in double quotes starts an escape that YAML lacks; write patterns in single quotes");
        add_error("bare asterisk", with_fields("      targets: [*]\n"), "line 4: error: a '*' starts an alias");
        add_error("unknown alias", with_fields("      scheme: *x\n"), "line 4: error: this alias names an anchor that is not defined");
        add_error("indentation", with_fields("      scheme: W8A8\n    targets: [Linear]\n   x: 1\n"), "line 6: error: ");
        add_error("two documents", "a_stage: {}\n---\nb_stage: {}\n", "error: a second YAML document starts here");
        add_error("open front matter", "+++\ns_stage: {}\n", "line 1: error: the front matter opened by +++ is not closed");
    }

    void errors_stand_at_their_line() {
        QFETCH(QString, yaml);
        QFETCH(QString, expected);
        const ParsedRecipe parsed = parse_recipe(yaml.toStdString());
        VERIFY_CONTAINS(all_text(parsed.diagnostics), expected.toStdString());
        QCOMPARE(parsed.recipe.has_value(), count_of(parsed.diagnostics, Diagnostic::Severity::Error) == 0);
    }

    void scalars_convert_as_in_the_reference_data() {
        QTest::addColumn<QString>("written");
        QTest::addColumn<bool>("accepted");
        for (const char* good : {"4", "'4'", "4.0", "1_000", "0x10", "+7"}) QTest::newRow(good) << good << true;
        for (const char* bad : {"4.5", "", "null", "[4]", "{a: 4}", ".inf", "99999999999999999999", "-1", "true"})
            QTest::newRow(*bad ? bad : "nothing") << bad << false;
    }

    void scalars_convert_as_in_the_reference() {
        QFETCH(QString, written);
        QFETCH(bool, accepted);
        const ParsedRecipe parsed = parse_recipe(with_fields("      scheme: W4A16\n      iters: " + written.toStdString() + "\n", "AutoRoundModifier"));
        QCOMPARE(parsed.recipe.has_value(), accepted);
        if (!accepted) VERIFY_CONTAINS(all_text(parsed.diagnostics), "line 5: error: iters must be a whole number of at least 0, not ");
    }

    void files_name_themselves() {
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("r.yaml").toStdString();
        std::ofstream(file) << with_fields("      scheme: W8A8\n      typo: 1\n");
        try {
            (void)load_recipe(file);
            QFAIL("a recipe with an error was loaded");
        } catch (const InputError& error) {
            VERIFY_CONTAINS(error.what(), file.string() + ":5: QuantizationModifier has no field 'typo'");
        }
        QVERIFY_EXCEPTION_THROWN((void)load_recipe(directory.filePath("missing.yaml").toStdString()), InputError);
        QVERIFY_EXCEPTION_THROWN((void)load_recipe(directory.path().toStdString()), InputError);
    }
};

QTEST_APPLESS_MAIN(TestRecipeParser)
#include "tst_recipe_parser.moc"
