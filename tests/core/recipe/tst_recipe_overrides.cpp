#include <QtTest/QTest>

#include <filesystem>
#include <functional>
#include <set>

#include "core/base/error.h"
#include "core/recipe/recipe_edit.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;
using Names = std::vector<std::string>;

namespace {

const std::filesystem::path resources = CALIBENCH_RESOURCES;
const std::filesystem::path golden = std::filesystem::path(CALIBENCH_TEST_DATA) / "golden" / "recipes";

/// What every module gets, targets left out; what is not quantized is not there.
std::map<std::string, QuantizationScheme> schemes(const std::string& text, const ModelSummary& model) {
    const ParsedRecipe parsed = parse_recipe(text);
    if (!parsed.recipe) qFatal("%s\n%s", text.c_str(), all_text(parsed.diagnostics).c_str());
    std::map<std::string, QuantizationScheme> schemes;
    for (const ResolvedModule& module : resolve_recipe(*parsed.recipe, model).modules) {
        schemes[module.name] = module.scheme;
        schemes[module.name].targets.clear();
    }
    return schemes;
}

std::set<std::string> group_names(const std::string& text) {
    std::set<std::string> names;
    const ParsedRecipe parsed = parse_recipe(text);
    for (const Modifier& modifier : parsed.recipe->modifiers)
        for (const auto& [name, scheme] : modifier.config_groups) names.insert(name);
    return names;
}

QuantizationScheme int_weights(int bits, int64_t group_size, const std::string& observer = "memoryless_minmax") {
    return {.weights = resolve_defaults({.num_bits = bits, .group_size = group_size, .observer = observer})};
}

Names names_where(const ModelSummary& model, const std::function<bool(const ModuleInfo&)>& wanted) {
    Names names;
    for (const ModuleInfo& module : model.modules)
        if ((module.class_name == "Linear" || module.class_name == "Embedding") && wanted(module)) names.push_back(module.name);
    return names;
}

Names ending(const ModelSummary& model, const std::string& end) {
    return names_where(model, [&](const ModuleInfo& module) { return module.name.ends_with(end); });
}

ModelSummary moe_summary(int64_t blocks, int experts) {
    ModelSummary model = llama_summary({.num_blocks = blocks});
    std::erase_if(model.modules, [](const ModuleInfo& module) { return module.name.find(".mlp.") != std::string::npos; });
    for (int b = 0; b < blocks; ++b)
        for (int e = 0; e < experts; ++e)
            for (const char* part : {"gate_proj", "up_proj", "down_proj"})
                model.modules.push_back({.name = concat("model.layers.", b, ".mlp.experts.", e, ".", part), .class_name = "Linear", .block = b, .expert = e, .shape = {64, 64}});
    return model;
}

/// The lines of `text`, for asking whether one is still there.
std::multiset<std::string> lines_of(const std::string& text) {
    std::multiset<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.insert(line);
    return lines;
}

}  // namespace

#define COMPARE_TEXT(actual, expected) QCOMPARE(QString::fromStdString(actual), QString::fromStdString(expected))

class TestRecipeOverrides : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// Every recipe that can be read, on both demo models, with several choices of modules: those get what was asked for, all others
    /// exactly what they had, and no comment is lost.
    void overrides_change_what_was_chosen_only_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("model");
        for (const auto& folder : {resources / "recipes", golden})
            for (const auto& file : std::filesystem::directory_iterator(folder))
                for (const char* model : {"tiny-llama-shakespeare", "tiny-qwen3-moe-shakespeare"})
                    if (parse_recipe(read_recipe_file(file.path())).recipe)
                        QTest::newRow((file.path().filename().string() + " on " + model).c_str())
                            << QString::fromStdString(file.path().string()) << QString(model);
    }

    void overrides_change_what_was_chosen_only() {
        QFETCH(QString, file);
        QFETCH(QString, model);
        const ModelSummary summary = inspect_model(resources / "demo" / model.toStdString());
        const std::string text = read_recipe_file(file.toStdString());
        const auto before = schemes(text, summary);
        std::vector<Names> choices = {ending(summary, "down_proj"), ending(summary, "layers.1.self_attn.q_proj"), {"lm_head"}, ending(summary, "_proj"),
                                      names_where(summary, [](const ModuleInfo& module) { return module.block == 2; }),
                                      names_where(summary, [](const ModuleInfo& module) { return module.block >= 2 || module.block < 0; })};
        choices.push_back({choices[0].front(), choices[1].front(), choices[3].back()});
        for (const Names& chosen : choices) {
            for (const QuantizationScheme& scheme : {int_weights(3, 32), int_weights(8, 64)}) {
                const std::string changed = with_override(text, summary, chosen, scheme);
                auto expected = before;
                const auto after = schemes(changed, summary);
                for (const std::string& name : chosen) {
                    expected[name] = scheme;
                    const auto found = after.find(name);
                    QVERIFY2(found != after.end(), changed.c_str());
                    if (text.find("observer") != std::string::npos) expected[name] = found->second;  // the modifier's observer goes before
                    QCOMPARE(found->second.weights->num_bits, scheme.weights->num_bits);
                    QCOMPARE(found->second.weights->group_size, scheme.weights->group_size);
                }
                QVERIFY2(after == expected, changed.c_str());
                QCOMPARE(with_override(changed, summary, chosen, scheme), changed);

                // A comment goes only with the group that it is in.
                const auto names_before = group_names(text), names_after = group_names(changed);
                if (!std::includes(names_after.begin(), names_after.end(), names_before.begin(), names_before.end())) continue;
                for (const std::string& line : lines_of(text))
                    if (line.find_first_not_of(' ') != std::string::npos && line[line.find_first_not_of(' ')] == '#')
                        QVERIFY2(lines_of(changed).contains(line), (line + "\n" + changed).c_str());
            }
            const std::string ignored = with_ignored(text, summary, chosen);
            auto expected = before;
            for (const std::string& name : chosen) expected.erase(name);
            QVERIFY2(schemes(ignored, summary) == expected, ignored.c_str());
            QCOMPARE(with_ignored(ignored, summary, chosen), ignored);

            const std::string pinned = with_pinned(text, summary, chosen);
            QVERIFY2(schemes(pinned, summary) == before, pinned.c_str());
            QCOMPARE(with_pinned(pinned, summary, chosen), pinned);
        }
    }

    void looks_as_written_by_hand() {
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const std::string text = R"(# My recipe
quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 50
      # not the head
      ignore: [lm_head]
      scheme: W4A16  # the preset
)";
        const std::string expected = R"(# My recipe
quant_stage:
  quant_modifiers:
    AutoRoundModifier:
      iters: 50
      # not the head
      ignore: [lm_head]
      config_groups:  # the preset
        group_0:
          targets: [Linear]
          weights:
            num_bits: 4
            type: int
            symmetric: true
            strategy: group
            group_size: 128
        group_1:
          targets: ['re:.*down_proj$']
          weights:
            num_bits: 8
            type: int
            symmetric: true
            strategy: group
            group_size: 64
)";
        const std::string overridden = with_override(text, model, ending(model, "down_proj"), int_weights(8, 64));
        COMPARE_TEXT(overridden, expected);
        // An override that a group has already joins it.
        const std::string joined = with_override(overridden, model, {"model.layers.1.mlp.up_proj"}, int_weights(8, 64));
        VERIFY_CONTAINS(joined, "targets: ['re:.*down_proj$', model.layers.1.mlp.up_proj]\n");
        // And back again, so that the group has no target left.
        const std::string back = with_override(joined, model, {"model.layers.1.mlp.up_proj"}, int_weights(4, 128));
        COMPARE_TEXT(back, overridden);
        const std::string none = with_override(back, model, ending(model, "down_proj"), int_weights(4, 128));
        COMPARE_TEXT(none, expected.substr(0, expected.find("        group_1")));
        COMPARE_TEXT(with_ignored(text, model, ending(model, "k_proj")),
                     std::string(text).replace(text.find("[lm_head]"), 9, "[lm_head, 're:.*k_proj$']"));
        COMPARE_TEXT(with_override(text, model, ending(model, "k_proj"), {}), with_ignored(text, model, ending(model, "k_proj")));
    }

    void a_whole_group_changes_in_place() {
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const std::string text = read_recipe_file(resources / "recipes" / "autoround_w4a16_g64.yaml");
        std::string expected = text;
        expected.replace(expected.find("num_bits: 4"), 11, "num_bits: 3").replace(expected.find("group_size: 64"), 14, "group_size: 32");
        COMPARE_TEXT(with_override(text, model, ending(model, "_proj"), int_weights(3, 32)), expected);
    }

    void ignore_patterns_give_way_for_what_is_overridden() {
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const std::string text = "s_stage:\n  q_modifiers:\n    QuantizationModifier:\n      scheme: W8A16\n"
                                 "      ignore:\n      - lm_head  # the head\n      - re:.*self_attn.*  # attention\n";
        const std::string changed = with_override(text, model, ending(model, "v_proj"), int_weights(8, 64));
        VERIFY_CONTAINS(changed, "      - lm_head  # the head\n      - 're:.*(q|k|o)_proj$'  # attention\n");
        const std::string one = with_override(text, model, {"lm_head"}, int_weights(8, 64));
        VERIFY_CONTAINS(one, "      ignore:\n      - re:.*self_attn.*  # attention\n");
        QCOMPARE(schemes(one, model).size(), schemes(text, model).size() + 1);
    }

    void what_conflicts_is_narrowed() {
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const std::string text = read_recipe_file(resources / "recipes" / "mixed_attn8_mlp4.yaml");
        const std::string changed = with_override(text, model, ending(model, "down_proj"), int_weights(6, 64));
        VERIFY_CONTAINS(changed, "targets: ['re:.*down_proj$']");
        VERIFY_CONTAINS(changed, "targets: ['re:.*(gate|up)_proj$']");
    }

    void pinned_modules_stay_when_their_group_changes() {
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const std::string text = read_recipe_file(resources / "recipes" / "autoround_w4a16_g64.yaml");
        const Names chosen = ending(model, "v_proj");
        const std::string pinned = with_pinned(text, model, chosen);
        const RecipePath bits = {"default_stage", "default_modifiers", "AutoRoundModifier", "config_groups", "group_0", "weights", "num_bits"};
        const auto after = schemes(with_value(pinned, bits, 2), model);
        for (const auto& [name, scheme] : after) {
            const bool is_pinned = std::find(chosen.begin(), chosen.end(), name) != chosen.end();
            QCOMPARE(scheme.weights->num_bits, is_pinned ? 4 : 2);
        }
        const std::string head = with_pinned(text, model, {"lm_head", "model.embed_tokens"});
        VERIFY_CONTAINS(head, "ignore: [lm_head, model.embed_tokens]");
    }

    void weights_that_cannot_be_tuned_leave_auto_round() {
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const std::string text = read_recipe_file(resources / "recipes" / "autoround_w4a16_g64.yaml");
        QuantizationScheme wide = preset_scheme("W8A16", {});
        wide.weights->num_bits = 16;
        wide.weights->group_size = 64;
        const std::string changed = with_override(text, model, ending(model, "o_proj"), wide);
        const ParsedRecipe parsed = parse_recipe(changed);
        QVERIFY2(parsed.recipe.has_value(), changed.c_str());
        QCOMPARE(parsed.recipe->modifiers.size(), size_t(2));
        QCOMPARE(parsed.recipe->modifiers[1].class_name, std::string("QuantizationModifier"));
        const ResolvedRecipe resolved = resolve_recipe(*parsed.recipe, model);
        QVERIFY2(resolved.diagnostics.empty(), all_text(resolved.diagnostics).c_str());
        QCOMPARE(resolved.find("model.layers.0.self_attn.o_proj")->modifier, size_t(1));
        QCOMPARE(resolved.find("model.layers.0.self_attn.q_proj")->modifier, size_t(0));

        const std::string floats = with_override(text, model, ending(model, "o_proj"), preset_scheme("FP8_DYNAMIC", {}));
        QCOMPARE(parse_recipe(floats).recipe->modifiers.size(), size_t(1));
    }

    void a_recipe_begins_with_an_override_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("head");
        QTest::newRow("empty") << "" << "default_stage:\n  default_modifiers:\n    QuantizationModifier:\n      config_groups:\n        group_0:\n          targets: [Linear]\n";
        QTest::newRow("comments") << "# plans\n" << "# plans\ndefault_stage:\n  default_modifiers:\n    QuantizationModifier:\n";
        QTest::newRow("stage") << "my_stage:\n" << "my_stage:\n  default_modifiers:\n    QuantizationModifier:\n";
        QTest::newRow("group") << "my_stage:\n  q_modifiers: {}\n" << "my_stage:\n  q_modifiers:\n    QuantizationModifier:\n";
        QTest::newRow("args only") << "args: {a: 1}\n" << "args: {a: 1}\ndefault_stage:\n";
    }

    void a_recipe_begins_with_an_override() {
        QFETCH(QString, text);
        QFETCH(QString, head);
        const ModelSummary model = llama_summary({.num_blocks = 2});
        const Names linear = names_where(model, [](const ModuleInfo& module) { return module.class_name == "Linear"; });
        const std::string changed = with_override(text.toStdString(), model, linear, int_weights(4, 64));
        QVERIFY2(changed.starts_with(head.toStdString()), changed.c_str());
        QCOMPARE(schemes(changed, model).size(), linear.size());
        COMPARE_TEXT(with_ignored(text.toStdString(), model, linear), text.toStdString());
    }

    void recipes_with_errors_are_refused() {
        const ModelSummary model = llama_summary({.num_blocks = 2});
        try {
            (void)with_override("s_stage:\n  q_modifiers:\n    QuantizationModifier: {scheme: W9}\n", model, {"lm_head"}, int_weights(4, 64));
            QFAIL("nothing was thrown");
        } catch (const InputError& error) {
            VERIFY_CONTAINS(error.what(), "correct the recipe first: line 3: error: ");
        }
        QVERIFY_EXCEPTION_THROWN((void)with_override("", model, {"model.norm"}, int_weights(4, 64)), InputError);
    }

    void targets_are_short_data() {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("expected");
        QTest::newRow("one") << "model\\.layers\\.1\\.mlp\\.up_proj$" << "model.layers.1.mlp.up_proj";
        QTest::newRow("everywhere") << ".*down_proj$" << "re:.*down_proj$";
        QTest::newRow("several") << ".*(gate|up)_proj$" << "re:.*(gate|up)_proj$";
        QTest::newRow("attention") << ".*self_attn.*" << "re:.*self_attn\\.";
        QTest::newRow("some blocks") << "model\\.layers\\.(0|3)\\.mlp\\.up_proj$" << "re:model\\.layers\\.(0|3)\\.mlp\\.up_proj$";
        QTest::newRow("a block") << "model\\.layers\\.2\\." << "re:model\\.layers\\.2\\.";
        QTest::newRow("all blocks") << "model\\.layers\\." << "re:model\\.layers\\.\\d+\\.";
        QTest::newRow("head and down") << ".*(down_proj|lm_head)$" << "re:.*down_proj$ lm_head";
    }

    void targets_are_short() {
        QFETCH(QString, pattern);
        QFETCH(QString, expected);
        const ModelSummary model = llama_summary({.num_blocks = 4});
        const Names targets = targets_for(model, matched_modules("re:" + pattern.toStdString(), model));
        std::string joined;
        for (const std::string& target : targets) joined += (joined.empty() ? "" : " ") + target;
        QCOMPARE(QString::fromStdString(joined), expected);
    }

    void classes_are_targets_too() {
        const ModelSummary model = llama_summary({.num_blocks = 2});
        QCOMPARE(targets_for(model, matched_modules("Linear", model)), Names{"Linear"});
        QCOMPARE(targets_for(model, {}), Names{});
    }

    /// Any choice of modules, and its targets mean it.
    void targets_mean_their_modules() {
        const std::vector<ModelSummary> models = {llama_summary({.num_blocks = 12}), moe_summary(3, 4)};
        unsigned state = 1;
        for (const ModelSummary& model : models)
            for (int round = 0; round < 200; ++round) {
                const int blocks = round % 5, kinds = round % 7;
                const Names chosen = names_where(model, [&](const ModuleInfo& module) {
                    state = state * 1664525u + 1013904223u;
                    if (round % 2) return (state >> 24) % 4 == 0;
                    return (module.block + round / 5) % (blocks + 1) == 0 && (module.name.size() + size_t(round / 7)) % size_t(kinds + 1) == 0;
                });
                std::set<std::string> matched;
                for (const std::string& target : targets_for(model, chosen))
                    for (const std::string& name : matched_modules(target, model)) matched.insert(name);
                QVERIFY(matched == std::set<std::string>(chosen.begin(), chosen.end()));
            }
    }

    void patterns_that_are_none_throw() {
        QVERIFY_EXCEPTION_THROWN((void)matched_modules("re:*", llama_summary()), InputError);
        QCOMPARE(matched_modules("re:.*norm", llama_summary()), Names{});
        QCOMPARE(matched_modules("Embedding", llama_summary()), Names{"model.embed_tokens"});
    }
};

QTEST_APPLESS_MAIN(TestRecipeOverrides)
#include "tst_recipe_overrides.moc"
