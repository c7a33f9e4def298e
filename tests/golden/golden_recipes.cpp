#include <algorithm>
#include <cctype>
#include <set>

#include "core/recipe/recipe.h"
#include "tests/core/recipe/recipe_fixtures.h"
#include "tests/golden/golden_set.h"
#include "tests/golden/normalised_scheme.h"

using namespace calibench;
using namespace calibench::testing;
using nlohmann::json;

namespace {

bool has_arguments(const json& scheme) {
    return !scheme.at("weights").is_null() || !scheme.at("input_activations").is_null() || !scheme.at("output_activations").is_null();
}

json settings_of(const Modifier& modifier) {
    const auto* settings = std::get_if<AutoRoundSettings>(&modifier.settings);
    if (!settings) return json::object();
    return {{"iters", settings->iters},
            {"lr", settings->lr ? json(*settings->lr) : json()},
            {"batch_size", settings->batch_size},
            {"enable_torch_compile", settings->enable_torch_compile},
            {"disable_opt_rtn", settings->disable_opt_rtn}};
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    return text;
}

size_t occurrences(const std::string& text, const std::string& part) {
    size_t number = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++number;
    return number;
}

/// How many modules the "does not divide" messages count, a message per config group.
size_t count_indivisible(const std::vector<Diagnostic>& diagnostics) {
    size_t number = 0;
    for (const Diagnostic& diagnostic : diagnostics) {
        if (diagnostic.message.find(" does not divide ") == std::string::npos) continue;
        const std::string before_count = " columns of ";
        number += std::stoul(diagnostic.message.substr(diagnostic.message.find(before_count) + before_count.size()));
    }
    return number;
}

}  // namespace

/// Group schemes, cases recipe_*: llm-compressor's reading of recipes, and which modules of SmolLM2 get which scheme. The reference
/// also counts modules without weights (self_attn, mlp), which no scheme of ours applies to.
class GoldenRecipes : public QObject {
    Q_OBJECT

    const GoldenSet set_{"schemes"};
    const ModelSummary model_ = llama_summary();
    std::set<std::string> quantizable_, linear_;

    [[nodiscard]] ParsedRecipe parse(const GoldenCase& golden) const {
        return parse_recipe(read_recipe_file(golden_directory() / golden.args.at("recipe_file").get<std::string>()));
    }

    [[nodiscard]] json with_weights(const json& names) const {
        json kept = json::array();
        for (const json& name : names)
            if (quantizable_.contains(name.get<std::string>())) kept.push_back(name);
        return kept;
    }

    void check_settings(const Modifier& modifier, const json& expected) const {
        QCOMPARE(modifier.class_name, expected.at("type").get<std::string>());
        COMPARE_JSON(modifier.targets, expected.at("targets"));
        COMPARE_JSON(modifier.ignore, expected.at("ignore"));
        if (!expected.at("scheme").is_object()) COMPARE_JSON(modifier.scheme ? json(*modifier.scheme) : json(), expected.at("scheme"));
        const json settings = settings_of(modifier);
        for (const auto& [name, value] : settings.items()) COMPARE_JSON(value, expected.at(name));
        COMPARE_JSON(normalised(modifier.kv_cache_scheme), expected.at("kv_cache_scheme"));
        json groups = json::object();
        for (const auto& [name, scheme] : modifier.config_groups) groups[name] = normalised(scheme);
        COMPARE_JSON(groups, expected.at("config_groups"));
    }

    void check_modules(const Modifier& modifier, const json& expected) const {
        const ResolvedRecipe resolved = resolve_recipe({.modifiers = {modifier}}, model_);
        json names = json::array();
        for (const ResolvedModule& module : resolved.modules) names.push_back(module.name);

        json expected_names = json::array();
        for (const json& entry : expected.at("quantized_modules")) {
            if (!has_arguments(entry.at("scheme"))) continue;
            for (const json& name : with_weights(entry.at("modules"))) {
                expected_names.push_back(name);
                const ResolvedModule* module = resolved.find(name.get<std::string>());
                QVERIFY2(module, ("no scheme for " + name.dump()).c_str());
                COMPARE_JSON(normalised(module->scheme), entry.at("scheme"));
            }
        }
        QCOMPARE(names.size(), expected_names.size());
        if (expected_names.empty()) return;
        COMPARE_JSON(names, with_weights(expected.at("matched")));
        COMPARE_JSON(resolved.ignored, expected.at("not_matched_linear"));

        // A refusal at initialisation lists the layers whose columns the group size does not divide.
        const json& refusal = expected.at("initialize_error");
        const size_t refused = refusal.is_null() ? 0 : occurrences(refusal.get<std::string>(), "(columns=");
        QCOMPARE(count_indivisible(resolved.diagnostics), refused);
    }

private Q_SLOTS:
    void initTestCase() {
        for (const ModuleInfo& module : model_.modules) {
            if (module.class_name == "Linear") linear_.insert(module.name);
            if (module.class_name == "Linear" || module.class_name == "Embedding") quantizable_.insert(module.name);
        }
        QCOMPARE(linear_.size(), size_t(211));
    }

    void recipes_match_data() { set_.add_rows({"recipe_"}); }

    void recipes_match() {
        const GoldenCase& golden = set_.current();
        const ParsedRecipe parsed = parse(golden);
        const std::string found = all_text(parsed.diagnostics);
        if (!golden.error.empty()) {
            QVERIFY(!parsed.recipe);
            VERIFY_CONTAINS(lower(found), lower(golden.error));
            return;
        }
        QVERIFY2(parsed.recipe, found.c_str());
        const json& modifiers = golden.expected.at("modifiers");
        if (modifiers.empty()) {  // a departure on purpose: the reference reads nothing here, and a note says so
            QCOMPARE(parsed.recipe->modifiers.size(), size_t(1));
            VERIFY_CONTAINS(found, "note: llm-compressor reads nothing");
            return;
        }
        QCOMPARE(parsed.recipe->stage, golden.expected.at("stage").get<std::string>());
        QCOMPARE(parsed.recipe->modifiers.size(), modifiers.size());
        for (size_t i = 0; i < modifiers.size(); ++i) {
            check_settings(parsed.recipe->modifiers[i], modifiers[i]);
            if (QTest::currentTestFailed()) return;
            check_modules(parsed.recipe->modifiers[i], modifiers[i]);
            if (QTest::currentTestFailed()) return;
        }
    }

    void what_is_written_reads_the_same_data() { set_.add_rows({"recipe_"}); }

    void what_is_written_reads_the_same() {
        const ParsedRecipe parsed = parse(set_.current());
        if (!parsed.recipe) {
            QVERIFY(!set_.current().error.empty());
            return;
        }
        const std::string written = to_yaml(*parsed.recipe);
        const ParsedRecipe again = parse_recipe(written);
        QVERIFY2(again.recipe && again.diagnostics.empty(), (written + all_text(again.diagnostics)).c_str());
        QVERIFY2(*again.recipe == *parsed.recipe, written.c_str());
        QCOMPARE(to_yaml(*again.recipe), written);
    }
};

QTEST_APPLESS_MAIN(GoldenRecipes)
#include "golden_recipes.moc"
