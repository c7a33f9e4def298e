#include <QtTest/QTest>

#include <filesystem>

#include "core/base/error.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/yaml_source.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;
using Json = nlohmann::ordered_json;

namespace {

const std::filesystem::path examples = std::filesystem::path(CALIBENCH_RESOURCES) / "recipes";
const std::filesystem::path golden = std::filesystem::path(CALIBENCH_TEST_DATA) / "golden" / "recipes";

RecipePath path_of(const std::string& text) {
    RecipePath path;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('/', begin), text.size());
        path.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return path;
}

/// Every value of a document with the path to it, the document itself left out.
void visit(const nlohmann::json& value, const RecipePath& path, const std::function<void(const RecipePath&, const nlohmann::json&)>& see) {
    if (!path.empty()) see(path, value);
    if (!value.is_structured()) return;
    size_t index = 0;
    for (const auto& [key, child] : value.items()) {
        RecipePath below = path;
        below.push_back(value.is_array() ? std::to_string(index++) : key);
        visit(child, below, see);
    }
}

std::string joined(const RecipePath& path) {
    std::string name;
    for (const std::string& key : path) name += "/" + key;
    return name;
}

void add_recipe_rows() {
    QTest::addColumn<QString>("file");
    for (const auto& folder : {examples, golden})
        for (const auto& file : std::filesystem::directory_iterator(folder))
            QTest::newRow(file.path().filename().c_str()) << QString::fromStdString(file.path().string());
}

std::string with_crlf(const std::string& text) {
    std::string result;
    for (const char c : text) result += c == '\n' ? std::string("\r\n") : std::string(1, c);
    return result;
}

std::vector<std::string> comments_of(const std::string& text) {
    std::vector<std::string> comments;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (const size_t at = line.find('#'); at != std::string::npos) comments.push_back(line.substr(at));
    return comments;
}

}  // namespace

#define COMPARE_TEXT(actual, expected) QCOMPARE(QString::fromStdString(actual), QString::fromStdString(expected))

class TestRecipeEdit : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_value_set_to_itself_changes_nothing_data() { add_recipe_rows(); }
    void every_value_set_to_itself_changes_nothing() {
        QFETCH(QString, file);
        const std::string text = read_recipe_file(file.toStdString());
        visit(YamlSource(text).meaning(), {}, [&](const RecipePath& path, const nlohmann::json& value) {
            COMPARE_TEXT(with_value(text, path, value), text);
        });
    }

    void every_value_set_and_set_back_is_as_before_data() { add_recipe_rows(); }
    void every_value_set_and_set_back_is_as_before() {
        QFETCH(QString, file);
        const std::string original = read_recipe_file(file.toStdString());
        for (const std::string& text : {original, with_crlf(original), original.substr(0, original.find_last_not_of('\n') + 1)})
            visit(YamlSource(text).meaning(), {}, [&](const RecipePath& path, const nlohmann::json& value) {
                if (value.is_structured() || value.is_null()) return;
                const Json other = value.is_string() ? Json("other_text") : value.is_boolean() ? Json(!value.get<bool>()) : Json(77);
                const std::string changed = with_value(text, path, other);
                QVERIFY2(changed != text, joined(path).c_str());
                COMPARE_TEXT(with_value(changed, path, value), text);
            });
    }

    void every_map_and_list_takes_an_entry_and_gives_it_back_data() { add_recipe_rows(); }
    void every_map_and_list_takes_an_entry_and_gives_it_back() {
        QFETCH(QString, file);
        const std::string original = read_recipe_file(file.toStdString());
        for (const std::string& text : {original, with_crlf(original), original.substr(0, original.find_last_not_of('\n') + 1)})
            for (const Json& fresh : {Json(4), Json("re:.*"), Json({{"targets", {"Linear", "lm_head"}}, {"weights", {{"num_bits", 4}}}})})
                visit(YamlSource(text).meaning(), {}, [&](const RecipePath& path, const nlohmann::json& value) {
                    if (!value.is_structured() || value.empty()) return;
                    RecipePath added = path;
                    added.push_back(value.is_array() ? std::to_string(value.size()) : "added_key");
                    const std::string changed = with_value(text, added, fresh);
                    QVERIFY2(changed != text, joined(added).c_str());
                    QCOMPARE(comments_of(changed), comments_of(text));
                    COMPARE_TEXT(without(changed, added), text);
                });
    }

    /// Whatever is removed, the rest stays as it is and its comments too.
    void every_entry_can_be_removed_data() { add_recipe_rows(); }
    void every_entry_can_be_removed() {
        QFETCH(QString, file);
        const std::string text = read_recipe_file(file.toStdString());
        visit(YamlSource(text).meaning(), {}, [&](const RecipePath& path, const nlohmann::json&) {
            const std::string changed = without(text, path);  // verifies its meaning itself
            QVERIFY2(changed.size() < text.size() || path.size() == 1, joined(path).c_str());
            size_t head = 0, tail = 0;
            while (head < changed.size() && changed[head] == text[head]) ++head;
            while (tail < changed.size() - head && changed[changed.size() - 1 - tail] == text[text.size() - 1 - tail]) ++tail;
            const std::string between = changed.substr(head, changed.size() - head - tail);
            QVERIFY2(between.find_first_not_of(" []{}") == std::string::npos, (joined(path) + ": " + between).c_str());
        });
    }

    void changes_look_like_their_neighbours_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("value");
        QTest::addColumn<QString>("expected");
        const auto row = [](const char* name, const char* text, const char* path, const char* value, const char* expected) {
            QTest::newRow(name) << text << path << value << expected;
        };
        row("plain number", "a: 1  # one\nb: 2\n", "a", "3", "a: 3  # one\nb: 2\n");
        row("double quotes stay", "a: \"x\" # y\n", "a", "\"re:.*\\\\.z\"", "a: \"re:.*\\\\.z\" # y\n");
        row("single quotes stay", "a: 'x'\n", "a", "\"plain\"", "a: 'plain'\n");
        row("text that looks like a number", "a: x\n", "a", "\"4\"", "a: '4'\n");
        row("absent value", "a:   # soon\nb: 2\n", "a", "1", "a: 1   # soon\nb: 2\n");
        row("absent value becomes a map", "a:   # soon\nb: 2\n", "a/c/d", "1", "a:   # soon\n  c: {d: 1}\nb: 2\n");
        row("explicit null", "a: null # none\n", "a", "[1, 2]", "a: [1, 2] # none\n");
        row("tilde in brackets", "{a: ~, b: 1}", "a", "2", "{a: 2, b: 1}");
        row("empty map", "a: {}\nb: 1\n", "a/k", "{\"x\": {\"y\": 1}}", "a:\n  k:\n    x: {y: 1}\nb: 1\n");
        row("new key, four columns", "a:\n    b: 1\n    c:\n        d: 2\n", "a/e", "{\"f\": {\"g\": 1}}",
            "a:\n    b: 1\n    c:\n        d: 2\n    e:\n        f:\n            g: 1\n");
        row("no newline at the end", "a: 1", "b", "2", "a: 1\nb: 2");
        row("windows line ends", "a: 1\r\nb:\r\n- x\r\n", "b/1", "\"y\"", "a: 1\r\nb:\r\n- x\r\n- y\r\n");
        row("dashes below the key's column", "k:\n- x\n- y\nz: 1\n", "k/2", "\"w\"", "k:\n- x\n- y\n- w\nz: 1\n");
        row("new list as the others", "k:\n- x\nz: 1\n", "n", "[\"a\"]", "k:\n- x\nz: 1\nn:\n- a\n");
        row("brackets", "k: [ 'a', b ]  # two\n", "k/2", "\"c\"", "k: [ 'a', b, c ]  # two\n");
        row("double quotes in brackets", "k: [\"a\"]\n", "k/1", "\"c\"", "k: [\"a\", \"c\"]\n");
        row("trailing comma", "k: [a, b,]\n", "k/2", "\"c\"", "k: [a, b, c,]\n");
        row("braces", "k: {a: 1}\n", "k/b", "{\"c\": [1]}", "k: {a: 1, b: {c: [1]}}\n");
        row("brackets over lines", "k: [\n  a,\n  b\n]\n", "k/2", "\"c\"", "k: [\n  a,\n  b,\n  c\n]\n");
        row("JSON", "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n", "a/c", "\"x\"", "{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"c\": \"x\"\n\t}\n}\n");
        row("JSON number", "{\"a\":{\"b\":1}}", "a/b", "2.5", "{\"a\":{\"b\":2.5}}");
        row("list replaced by list", "k:\n  - a  # first\n  - b  # second\n  - c  # third\n", "k", "[\"a\", \"c\"]", "k:\n  - a  # first\n  - c  # third\n");
        row("list with one put before", "k:\n  - a  # first\n  - b\n", "k", "[\"z\", \"a\", \"b\"]", "k:\n  - z\n  - a  # first\n  - b\n");
        row("map replaced by map", "k:\n  a: 1  # one\n  # two\n  b: 2\n  c: 3  # three\n", "k", "{\"a\": 5, \"c\": 3, \"d\": 4}",
            "k:\n  a: 5  # one\n  c: 3  # three\n  d: 4\n");
        row("block map becomes text", "k: # note\n  a: 1\n  b: 2\nz: 1\n", "k", "\"W4A16\"", "k: W4A16 # note\nz: 1\n");
        row("text becomes map", "k: W4A16 # note\nz: {a: {b: {c: 1}}}\n", "k", "{\"g\": {\"w\": {\"x\": 1}}}", "k: {g: {w: {x: 1}}} # note\nz: {a: {b: {c: 1}}}\n");
        row("text becomes block map", "k: W4A16 # note\nz: 1\n", "k", "{\"g\": {\"w\": {\"x\": 1}}}", "k: # note\n  g:\n    w: {x: 1}\nz: 1\n");
        row("plain text over lines", "k: one\n  two\nz: 1\n", "k", "3", "k: 3\nz: 1\n");
        row("block text", "k: |\n  one\n\n  two\nz: 1\n", "k", "3", "k: 3\nz: 1\n");
        row("quoted key", "\"k\": 1\n", "k", "2", "\"k\": 2\n");
        row("colon in a key", "'a: b': 1\n", "a: b", "2", "'a: b': 2\n");
        row("Markdown", "# Card\n---\na: 1\n---\nText\n", "b", "2", "# Card\n---\na: 1\nb: 2\n---\nText\n");
        row("byte order mark", "\xEF\xBB\xBF" "a: 1\nb: 2\n", "a", "3", "\xEF\xBB\xBF" "a: 3\nb: 2\n");
        row("letters of several bytes", "a: Größe  # ü\nb: 'é'\n", "b", "\"x\"", "a: Größe  # ü\nb: 'x'\n");
        row("empty text", "", "a/b/c", "1", "a:\n  b: {c: 1}\n");
        row("comments only", "# nothing yet", "a", "1", "# nothing yet\na: 1\n");
        row("list in a list item", "k:\n  - a: 1\n    b: 2\n", "k/0/b", "3", "k:\n  - a: 1\n    b: 3\n");
        row("replaces an alias here only", "a: &x {n: 1}\nb: *x\n", "b", "{\"n\": 2}", "a: &x {n: 1}\nb: {n: 2}\n");
        row("overrides a merged key", "a: &x {n: 1}\nb:\n  <<: *x\n  m: 1\n", "b/n", "2", "a: &x {n: 1}\nb:\n  <<: *x\n  m: 1\n  n: 2\n");
    }

    void changes_look_like_their_neighbours() {
        QFETCH(QString, text);
        QFETCH(QString, path);
        QFETCH(QString, value);
        QFETCH(QString, expected);
        QCOMPARE(QString::fromStdString(with_value(text.toStdString(), path_of(path.toStdString()), Json::parse(value.toStdString()))), expected);
    }

    void removals_take_their_comments_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("expected");
        QTest::newRow("comment on top") << "a: 1\n# about b,\n# and more\nb: 2  # two\nc: 3\n" << "b" << "a: 1\nc: 3\n";
        QTest::newRow("a blank line keeps it") << "a: 1\n# section\n\nb: 2\nc: 3\n" << "b" << "a: 1\n# section\n\nc: 3\n";
        QTest::newRow("map") << "a: 1\nb:\n  c: 2\n  # inner\n  d: 3\ne: 4\n" << "b" << "a: 1\ne: 4\n";
        QTest::newRow("last without newline") << "a: 1\nb: 2" << "b" << "a: 1";
        QTest::newRow("first in brackets") << "k: [a, b]\n" << "k/0" << "k: [b]\n";
        QTest::newRow("last in brackets") << "k: [a, b]\n" << "k/1" << "k: [a]\n";
        QTest::newRow("only in brackets") << "k: [a]  # x\n" << "k/0" << "k: []  # x\n";
        QTest::newRow("only of a block") << "k:  # x\n  a: 1\nz: 1\n" << "k/a" << "k: {}  # x\nz: 1\n";
        QTest::newRow("only of a list") << "k:\n- a\nz: 1\n" << "k/0" << "k: []\nz: 1\n";
        QTest::newRow("over lines") << "k: [a, # one\n    b  # two\n]\n" << "k/1" << "k: [a, # one  # two\n]\n";
        QTest::newRow("first of a list item's map") << "k:\n  - a: 1\n    b: 2\n" << "k/0/a" << "k:\n  - b: 2\n";
        QTest::newRow("none") << "a: 1\n" << "b/c" << "a: 1\n";
        QTest::newRow("windows") << "a: 1\r\nb: 2\r\nc: 3\r\n" << "b" << "a: 1\r\nc: 3\r\n";
        QTest::newRow("the whole document") << "# x\na: 1\n" << "a" << "# x\n{}\n";
    }

    void removals_take_their_comments() {
        QFETCH(QString, text);
        QFETCH(QString, path);
        QFETCH(QString, expected);
        QCOMPARE(QString::fromStdString(without(text.toStdString(), path_of(path.toStdString()))), expected);
    }

    void what_cannot_be_changed_is_refused_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("reason");
        QTest::newRow("no YAML") << "a: [1\n" << "a" << "line ";
        QTest::newRow("behind an alias") << "a: &x {n: 1}\nb: *x\n" << "b/n" << "line 2: *x stands for a value written elsewhere";
        QTest::newRow("what an alias repeats") << "a: &x {n: 1}\nb: *x\n" << "a/n" << "line 1: an alias repeats this value elsewhere";
        QTest::newRow("scalar that an alias repeats") << "a: &x 1\nb: *x\n" << "a" << "an alias repeats this value elsewhere";
        QTest::newRow("within a merge") << "a: &x {n: {m: 1}}\nb:\n  <<: *x\n" << "b/n/m" << "comes from a merge key";
        QTest::newRow("below a text") << "a: W4A16\n" << "a/b" << "needs a map";
        QTest::newRow("beyond a list") << "a: [1]\n" << "a/5" << "no item '5'";
        QTest::newRow("no number") << "a: [1]\n" << "a/x" << "no item 'x'";
        QTest::newRow("too large") << "a: [1]\n" << "a/99999999999999999999" << "no item";
    }

    void what_cannot_be_changed_is_refused() {
        QFETCH(QString, text);
        QFETCH(QString, path);
        QFETCH(QString, reason);
        try {
            (void)with_value(text.toStdString(), path_of(path.toStdString()), 2);
            QFAIL("nothing was thrown");
        } catch (const InputError& error) {
            VERIFY_CONTAINS(error.what(), reason.toStdString());
        }
        const std::string with_anchor = "a: &x {n: 1}\nb: *x\n";
        QVERIFY_EXCEPTION_THROWN((void)without(with_anchor, {"a"}), InputError);
        COMPARE_TEXT(without(with_anchor, {"b"}), std::string("a: &x {n: 1}\n"));
    }

    void a_fix_is_a_splice() {
        const Fix fix{.label = "Use 4", .offset = 3, .length = 1, .replacement = "4"};
        COMPARE_TEXT(apply(fix, "a: 1\n"), std::string("a: 4\n"));
        QVERIFY_EXCEPTION_THROWN((void)apply(fix, "a:"), InputError);
    }
};

QTEST_APPLESS_MAIN(TestRecipeEdit)
#include "tst_recipe_edit.moc"
