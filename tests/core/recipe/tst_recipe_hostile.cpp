#include <QtTest/QTest>

#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

std::string repeat(const std::string& part, size_t times) {
    std::string text;
    text.reserve(part.size() * times);
    for (size_t i = 0; i < times; ++i) text += part;
    return text;
}

}  // namespace

/// Text that means harm, or is simply not text, ends in an error with a place. ctest's time limit catches what would not end.
class TestRecipeHostile : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void is_refused_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("expected");
        const auto add = [](const char* name, const std::string& text, const char* expected) {
            QTest::newRow(name) << QByteArray(text.data(), qsizetype(text.size())) << QString(expected);
        };
        add("deep flow lists", repeat("[", 100'000), "values are nested deeper than 64 levels");
        add("deep flow maps", repeat("{a: ", 50'000), "values are nested deeper than 64 levels");
        add("deep block lists", repeat("- ", 50'000), "values are nested deeper than 64 levels");
        std::string stairs;
        for (int depth = 0; depth < 400; ++depth) stairs += std::string(size_t(depth), ' ') + "a:\n";
        add("deep block maps", stairs, "values are nested deeper than 64 levels");
        std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
        for (int i = 1; i < 30; ++i) {
            const std::string before = concat("*a", i - 1);
            laughs += concat("a", i, ": &a", i, " [", before, repeat(", " + before, 8), "]\n");
        }
        add("billion laughs", laughs, "values, aliases written out");
        std::string merges = "a0: &a0 {k: 1}\n";
        for (int i = 1; i < 400; ++i) merges += concat("a", i, ": &a", i, " {x", i, ": 1, <<: [*a", i - 1, ", *a", i - 1, "]}\n");
        add("merge keys", merges, "values, aliases written out");
        add("an alias of itself", "a_stage: &a\n  b: *a\n", "this alias lies within the value that it stands for");
        add("too long", repeat("# comment\n", 200'000), "too much for a recipe");
        add("many values", "s_stage: [" + repeat("1,", 300'000) + "1]", "the recipe has more than 200000 values");
        add("many errors", "s_stage: {q_modifiers: {" + repeat("x: 1, ", 5'000) + "y: 1}}", "more problems are not listed");
        add("no UTF-8", "s_stage:\n  q: \xff\xfe\n", "line 2: error: this byte is not UTF-8");
        add("surrogate", "s_stage: \xed\xa0\x80\n", "line 1: error: this byte is not UTF-8");
        add("overlong", "s_stage: \xc0\xaf\n", "line 1: error: this byte is not UTF-8");
        add("UTF-16", std::string("\xff\xfe" "a\0:\0", 6), "this byte is not UTF-8");
        add("Python object", "s_stage: !!python/object:os.system {}\n", "has no meaning in a recipe");
        add("list as a key", "? [a, b]\n: c\n", "a key must be plain text");
        add("long key", repeat("k", 100'000) + ": 1", "error");
        add("long scalar", "s_stage: {q_modifiers: {QuantizationModifier: {scheme: " + repeat("W", 100'000) + "}}}", "a preset scheme name");
    }

    void is_refused() {
        QFETCH(QByteArray, text);
        QFETCH(QString, expected);
        const ParsedRecipe parsed = parse_recipe(std::string(text.constData(), size_t(text.size())));
        QVERIFY(!parsed.recipe);
        VERIFY_CONTAINS(all_text(parsed.diagnostics), expected.toStdString());
        QVERIFY(parsed.diagnostics.size() <= 101);
    }

    /// Every prefix of a recipe, and every recipe with one byte changed, is read or refused, never thrown at the caller.
    void survives_damage() {
        const std::string recipe = R"(default_stage:
  default_modifiers:
    AutoRoundModifier:
      iters: 20
      ignore: ["lm_head", 're:.*\.0\.']
      config_groups:
        g: {targets: &t [Linear], weights: {num_bits: 4, group_size: 64, observer_kwargs: {a: 1.5}}}
        h: {targets: *t, weights: {num_bits: 8}, input_activations: {dynamic: true, strategy: token}}
)";
        size_t readable = 0;
        for (size_t length = 0; length <= recipe.size(); ++length) readable += parse_recipe(recipe.substr(0, length)).recipe.has_value();
        QVERIFY(readable >= 1);
        for (size_t i = 0; i < recipe.size(); ++i)
            for (const char byte : {'\0', '\n', '\t', ' ', ':', '{', ']', '"', '&', '*', '!', '%', '@', '-', '\x80', '9'}) {
                std::string damaged = recipe;
                damaged[i] = byte;
                const ParsedRecipe parsed = parse_recipe(damaged);
                QCOMPARE(parsed.recipe.has_value(), count_of(parsed.diagnostics, Diagnostic::Severity::Error) == 0);
            }
    }

    void a_pattern_without_end_is_given_up() {
        const ParsedRecipe parsed = parse_recipe("s_stage: {q_modifiers: {QuantizationModifier: {scheme: W8A16, targets: ['re:([a-z0-9._]+)+[!?]']}}}");
        QVERIFY(parsed.recipe);
        const ResolvedRecipe resolved = resolve_recipe(*parsed.recipe, llama_summary());
        VERIFY_CONTAINS(all_text(resolved.diagnostics), "line 1: error: 're:([a-z0-9._]+)+[!?]' takes too long");
        QCOMPARE(resolved.diagnostics.size(), size_t(1));
    }
};

QTEST_APPLESS_MAIN(TestRecipeHostile)
#include "tst_recipe_hostile.moc"
