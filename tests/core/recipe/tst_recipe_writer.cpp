#include <QtTest/QTest>

#include "core/recipe/yaml_writer.h"
#include "core/recipe/yaml_tree.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

class TestRecipeWriter : public QObject {
    Q_OBJECT

    static void compare_round_trip(const Recipe& recipe) {
        const std::string written = to_yaml(recipe);
        const ParsedRecipe again = parse_recipe(written);
        QVERIFY2(again.recipe && again.diagnostics.empty(), (written + all_text(again.diagnostics)).c_str());
        QVERIFY2(*again.recipe == recipe, written.c_str());
        QCOMPARE(to_yaml(*again.recipe), written);
    }

private Q_SLOTS:
    void writes_the_form_llm_compressor_reads() {
        const ParsedRecipe parsed = parse_recipe(R"(calibench: {minmax_lr: 1e-5}
modifiers:
  AutoRoundModifier:
    ignore: [lm_head, 're:.*[''].*']
    lr: 1e-5
    device_ids: "0"
    config_groups:
      attn:
        targets: ['re:.*self_attn\.(q|k|v|o)_proj$']
        weights: {num_bits: 8, group_size: 128, observer: mse}
)");
        QVERIFY2(parsed.recipe, all_text(parsed.diagnostics).c_str());
        QCOMPARE(to_yaml(*parsed.recipe), std::string(R"(default_stage:
  default_modifiers:
    AutoRoundModifier:
      iters: 200
      batch_size: 8
      lr: 1.0e-05
      device_ids: '0'
      ignore: [lm_head, 're:.*[''].*']
      config_groups:
        attn:
          targets: ['re:.*self_attn\.(q|k|v|o)_proj$']
          weights:
            num_bits: 8
            type: int
            symmetric: true
            strategy: group
            group_size: 128
            observer: mse
calibench: {minmax_lr: 1.0e-05}
)"));
        compare_round_trip(*parsed.recipe);
    }

    void a_preset_stays_a_preset_until_edited() {
        Recipe recipe = *parse_recipe("s_stage: {q_modifiers: {QuantizationModifier: {scheme: fp8, input_observer: static_minmax}}}").recipe;
        VERIFY_CONTAINS(to_yaml(recipe), "scheme: fp8");
        compare_round_trip(recipe);
        recipe.modifiers[0].config_groups[0].second.weights->num_bits = 4;
        const std::string edited = to_yaml(recipe);
        QVERIFY(edited.find("scheme:") == std::string::npos);
        VERIFY_CONTAINS(edited, "num_bits: 4");
    }

    void every_preset_survives_a_round_trip_in_full() {
        for (const std::string& preset : preset_scheme_names()) {
            const ParsedRecipe parsed = parse_recipe("s_stage: {q_modifiers: {QuantizationModifier: {scheme: {" + preset + ": [Linear]}}}}");
            QVERIFY2(parsed.recipe, all_text(parsed.diagnostics).c_str());
            compare_round_trip(*parsed.recipe);
            if (QTest::currentTestFailed()) return;
        }
    }

    /// One stage cannot hold a class twice in a group, nor a group twice.
    void the_order_of_modifiers_survives() {
        Recipe recipe{.stage = "quant"};
        for (const auto& [group, class_name] : {std::pair{"a", "QuantizationModifier"}, {"a", "QuantizationModifier"}, {"b", "QuantizationModifier"},
                                                {"a", "QuantizationModifier"}}) {
            Modifier modifier{.class_name = class_name, .group = group, .scheme = "W8A16"};
            modifier.targets = {concat("re:.*", recipe.modifiers.size())};
            modifier.config_groups = {{"group_0", preset_scheme("W8A16", modifier.targets)}};
            modifier.config_groups[0].second.weights->observer = "memoryless_minmax";
            recipe.modifiers.push_back(modifier);
        }
        compare_round_trip(recipe);
    }

    void texts_are_quoted_where_yaml_would_mistake_them_data() {
        QTest::addColumn<QString>("text");
        for (const char* text : {"plain", "yes", "No", "null", "~", "", "4", "1e3", "0x1F", ".5", "-x", "a: b", "a #b", "re:.*\\.x$", "it's", "[a]",
                                 "*x", "&x", "!x", "%x", "@x", "two\nlines", "tab\there", "trailing ", " leading", "größe", "\u2028", "\xf0\x9f\x98\x80",
                                 "\"quoted\"", "\\", "a,b", "{", "<<", "---"})
            QTest::addRow("%s", *text ? qPrintable(QString::fromUtf8(text).replace("\n", "\\n")) : "empty") << QString::fromUtf8(text);
    }

    void texts_are_quoted_where_yaml_would_mistake_them() {
        QFETCH(QString, text);
        nlohmann::ordered_json document;
        document["key"] = text.toStdString();
        document["list"] = {text.toStdString(), "b"};
        document[text.toStdString() + "_key"] = {{"deep", 1}};
        Diagnostics diagnostics;
        const YamlNodePtr root = parse_yaml(write_yaml(document), diagnostics);
        QVERIFY2(root && !diagnostics.has_errors(), write_yaml(document).c_str());
        QCOMPARE(to_json(*root).dump(), nlohmann::json(document).dump());
    }

    void numbers_keep_their_value() {
        for (const double number : {0.1, 1e-5, 1e300, -2.5, 3.0, 123456789.125, 5e-324}) {
            nlohmann::ordered_json document;
            document["n"] = number;
            Diagnostics diagnostics;
            const YamlNodePtr root = parse_yaml(write_yaml(document), diagnostics);
            QCOMPARE(to_json(*root).at("n").get<double>(), number);
        }
    }

    void long_lists_become_blocks() {
        nlohmann::ordered_json document;
        for (int i = 0; i < 40; ++i) document["ignore"].push_back(concat("model.layers.", i));
        const std::string written = write_yaml(document);
        VERIFY_CONTAINS(written, "ignore:\n  - model.layers.0\n  - model.layers.1\n");
    }
};

QTEST_APPLESS_MAIN(TestRecipeWriter)
#include "tst_recipe_writer.moc"
