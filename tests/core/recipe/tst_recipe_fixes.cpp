#include <QtTest/QTest>

#include <filesystem>

#include "core/recipe/recipe_edit.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

const std::filesystem::path golden = std::filesystem::path(CALIBENCH_TEST_DATA) / "golden" / "recipes";

/// Everything that reading and resolving a text tells.
std::vector<Diagnostic> problems(const std::string& text, const ModelSummary& model) {
    ParsedRecipe parsed = parse_recipe(text);
    if (parsed.recipe)
        for (Diagnostic& diagnostic : resolve_recipe(*parsed.recipe, model).diagnostics) parsed.diagnostics.push_back(std::move(diagnostic));
    return parsed.diagnostics;
}

size_t times(const std::vector<Diagnostic>& diagnostics, const std::string& message) {
    return size_t(std::count_if(diagnostics.begin(), diagnostics.end(), [&](const Diagnostic& diagnostic) { return diagnostic.message == message; }));
}

std::string in_modifier(const std::string& fields, const std::string& name = "QuantizationModifier") {
    return "s_stage:\n  q_modifiers:\n    " + name + ":  # mine\n" + fields;
}

}  // namespace

class TestRecipeFixes : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void fixes_settle_their_problem_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("labels");  // of the first problem
        const auto row = [](const char* name, const std::string& text, const char* labels) {
            QTest::newRow(name) << QString::fromStdString(text) << QString(labels);
        };
        const std::string group = "      ignore: [lm_head]\n      config_groups:\n        g:\n          targets: [Linear]\n          weights: ";
        row("unknown key", in_modifier(group + "{num_bits: 4, grop_size: 64}\n"), "Change grop_size to group_size|Remove grop_size");
        row("unknown field", in_modifier("      scheme: W8A16\n      ignor: [lm_head]\n"), "Change ignor to ignore|Remove ignor");
        row("unknown field that is there too", in_modifier("      scheme: W8A16\n      ignore: [lm_head]\n      ignor: [lm_head]\n"), "Remove ignor");
        row("unknown preset", in_modifier("      scheme: W8A9  # x\n"), "Use W8A8");
        row("unknown preset in a dictionary", in_modifier("      scheme: {W8A16: [Linear], W8A9: [Embedding]}\n"), "Use W8A8");
        row("unknown strategy", in_modifier(group + "{num_bits: 4, strategy: chanel}\n"), "Use strategy channel|Remove strategy");
        row("unknown type", in_modifier(group + "{num_bits: 8, type: flot}\n"), "Use type float|Remove type");
        row("bits", in_modifier(group + "{num_bits: 64}\n"), "Use num_bits 8|Use num_bits 4|Remove num_bits");
        row("actorder", in_modifier(group + "{num_bits: 4, group_size: 64, actorder: group}\n"), "Use actorder weight|Remove actorder");
        row("group without size", in_modifier(group + "{num_bits: 4, strategy: group}\n"), "Use group_size 128|Remove strategy");
        row("static token", in_modifier(group + "{num_bits: 8}\n          input_activations: {num_bits: 8, strategy: token}\n"), "Use dynamic true");
        row("observer of the group", in_modifier(group + "{num_bits: 8, observer: memoryless_minmix}\n"), "Use memoryless_minmax");
        row("observer of the modifier", in_modifier("      weight_observer: memoryless_minmix\n" + group + "{num_bits: 8}\n"), "Use memoryless_minmax");
        row("observer in a map", in_modifier("      observer: {weights: memoryless_minmix}\n" + group + "{num_bits: 8}\n"), "Use memoryless_minmax");
        row("group size", in_modifier(group + "{num_bits: 4, group_size: 128}  # 4\n"),
            "Use group_size 64|Use group_size 32|Use strategy channel|Ignore these 12 modules");
        row("group size of a preset", in_modifier("      ignore: [lm_head]\n      scheme: W4A16  # 4\n", "AutoRoundModifier"),
            "Use group_size 64|Use group_size 32|Use strategy channel|Ignore these 12 modules");
        row("target", in_modifier("      scheme: W8A8\n      ignore: [lm_head]\n      targets: [Linear, down_proj]\n"), "Use re:.*down_proj$|Remove this target");
        row("pattern", in_modifier("      scheme: W8A16\n      targets: ['re:down_proj$']\n"), "Use re:.*down_proj$");
        row("single target", in_modifier("      scheme: W8A16\n      targets: Linaer\n"), "Use Linear");
        row("ignore", in_modifier("      scheme: W8A8\n      ignore:\n      - lm_head\n      - down_proj  # wide\n"), "Use re:.*down_proj$|Remove this entry");
        row("bare modifiers", "s_stage:\n  modifiers:  # old\n    QuantizationModifier: {scheme: W8A16, ignore: [lm_head]}\n", "Change modifiers to s_modifiers");
        row("modifiers outside of a stage", "# top\nq_modifiers:  # old\n  QuantizationModifier:\n    scheme: W8A16  # eight\n\n    ignore: [lm_head]\nargs: {}\n",
            "Put it into default_stage");
        row("two keys", in_modifier("      scheme: W8A16\n      ignore: [lm_head]\n      scheme: W4A16\n"), "Remove the second scheme");
        row("scheme and groups", in_modifier("      scheme: W8A16\n" + group + "{num_bits: 8}\n"), "Remove scheme|Remove config_groups");
        row("targets beside groups", in_modifier("      targets: [Embedding]\n" + group + "{num_bits: 8}\n"), "Remove targets");
        row("nothing said", in_modifier(""), "Add scheme: W4A16");
        row("no targets", in_modifier("      config_groups:\n        g: {weights: {num_bits: 8}}\n"), "Add targets: [Linear]");
        row("unquoted number", in_modifier("      scheme: W8A16\n      ignore: [lm_head, 4]\n"), "Put 4 in quotes");
        row("text for a list", in_modifier("      scheme: W8A16\n      ignore: lm_head\n"), "Change it to [lm_head]");
        row("near modifier", in_modifier("      scheme: W8A16\n", "QuantisationModifier"), "Change QuantisationModifier to QuantizationModifier");
        row("near stage", "default_stag:\n  q_modifiers: {}\ns_stage:\n  q_modifiers:\n    QuantizationModifier: {scheme: W8A16, ignore: [lm_head]}\n",
            "Change default_stag to default_stage|Remove default_stag");
        row("weights too wide to tune", in_modifier(group + "{num_bits: 16}\n", "AutoRoundModifier"), "Use iters 0");
        row("dynamic weights", in_modifier(group + "{num_bits: 8, dynamic: true}\n"), "Remove dynamic");
        row("embedding", in_modifier("      targets: [Embedding]\n      ignore: [lm_head]\n      scheme: W8A8\n"), "Ignore model.embed_tokens");
        row("group field", in_modifier("      group: x\n      ignore: [lm_head]\n      scheme: W8A16\n"), "Remove group");
    }

    void fixes_settle_their_problem() {
        QFETCH(QString, text);
        QFETCH(QString, labels);
        const ModelSummary model = llama_summary({.num_blocks = 2});
        for (const std::string& before : {text.toStdString(), "# Card\n---\n" + text.toStdString() + "---\n"}) {
            const auto found = problems(before, model);
            QVERIFY(!found.empty());
            const auto first = std::find_if(found.begin(), found.end(), [](const Diagnostic& diagnostic) { return !diagnostic.fixes.empty(); });
            QVERIFY2(first != found.end(), all_text(found).c_str());
            QString offered;
            for (const Fix& fix : first->fixes) offered += (offered.isEmpty() ? "" : "|") + QString::fromStdString(fix.label);
            QCOMPARE(offered, labels);
            for (const Diagnostic& problem : found)
                for (const Fix& fix : problem.fixes) {
                    const std::string after = apply(fix, before);
                    QVERIFY2(times(problems(after, model), problem.message) < times(found, problem.message), (fix.label + "\n" + after).c_str());
                    if (before.find("# mine") != std::string::npos) VERIFY_CONTAINS(after, "# mine");
                }
        }
    }

    /// Whatever the fixes of the golden recipes and the examples are, each does what it says.
    void fixes_of_real_recipes_settle_their_problem() {
        const std::vector<ModelSummary> models = {llama_summary({.num_blocks = 2}), llama_summary({.num_blocks = 3, .hidden = 100})};
        size_t tried = 0;
        for (const auto& folder : {golden, std::filesystem::path(CALIBENCH_RESOURCES) / "recipes"})
            for (const auto& file : std::filesystem::directory_iterator(folder))
                for (const ModelSummary& model : models) {
                    const std::string text = read_recipe_file(file.path());
                    const auto found = problems(text, model);
                    for (const Diagnostic& problem : found)
                        for (const Fix& fix : problem.fixes) {
                            const std::string after = apply(fix, text);
                            QVERIFY2(times(problems(after, model), problem.message) < times(found, problem.message), (fix.label + "\n" + after).c_str());
                            ++tried;
                        }
                }
        QVERIFY(tried > 20);
    }

    void a_fix_touches_its_place_only() {
        const std::string text = in_modifier("      ignore: [lm_head]\n      targets: [Linear, down_proj]  # two\n      scheme: W8A8\n");
        const auto found = problems(text, llama_summary({.num_blocks = 2}));
        QCOMPARE(found.size(), size_t(1));
        QCOMPARE(found[0].fixes.size(), size_t(2));
        QCOMPARE(apply(found[0].fixes[0], text), in_modifier("      ignore: [lm_head]\n      targets: [Linear, 're:.*down_proj$']  # two\n      scheme: W8A8\n"));
        QCOMPARE(apply(found[0].fixes[1], text), in_modifier("      ignore: [lm_head]\n      targets: [Linear]  # two\n      scheme: W8A8\n"));
    }

    void older_spellings_keep_their_comments() {
        const std::string text = "# top\nq_modifiers:  # old\n  QuantizationModifier:\n    scheme: W8A16  # eight\n\n    ignore: [lm_head]\nargs: {}\n";
        const auto found = problems(text, llama_summary({.num_blocks = 2}));
        QCOMPARE(apply(found.at(0).fixes.at(0), text), std::string("# top\ndefault_stage:\n  q_modifiers:  # old\n    QuantizationModifier:\n"
                                                                   "      scheme: W8A16  # eight\n\n      ignore: [lm_head]\nargs: {}\n"));
    }
};

QTEST_APPLESS_MAIN(TestRecipeFixes)
#include "tst_recipe_fixes.moc"
