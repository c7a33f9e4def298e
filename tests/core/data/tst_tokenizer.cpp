#include <fstream>
#include <random>
#include <string>
#include <thread>

#include <QtCore/QTemporaryDir>
#include <QtTest/QTest>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/text_file.h"
#include "core/data/tokenizer.h"
#include "core/data/unicode.h"

using namespace calibench;
using nlohmann::json;

namespace {

const std::filesystem::path golden = std::filesystem::path(CALIBENCH_TEST_DATA) / "golden" / "tokenizers";
const std::filesystem::path demo = std::filesystem::path(CALIBENCH_RESOURCES) / "demo";

/// Random text of every script, with spaces, controls and added tokens thrown in; the same for the same seed.
std::string hostile_text(uint64_t seed) {
    static const std::string fragments[] = {"<|endoftext|>", "<|im_start|>", "<s>", " ", "\n\n", "\r\n", "'s", "\u0301", "\u200D",
                                            std::string(1, '\0'), "\u00A0", "1234", "Romeo", "\u2581", "\uFFFD"};
    std::mt19937_64 random(seed);
    std::string text;
    for (uint64_t left = random() % 60; left > 0; --left) {
        const char32_t c = static_cast<char32_t>(random() % (random() % 2 == 0 ? 0x80 : 0x110000));
        if (random() % 4 == 0)
            text += fragments[random() % std::size(fragments)];
        else if (c < 0xD800 || c > 0xDFFF)
            append_utf8(text, c);
    }
    return text;
}

/// A tokenizer of four letters and one merge, for tests to break.
json small_tokenizer() {
    return json::parse(R"({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, " ": 3, "ab": 4}, "merges": ["a b"]}})");
}

}  // namespace

class TestTokenizer : public QObject {
    Q_OBJECT

    QTemporaryDir directory_;

    std::filesystem::path file() const { return std::filesystem::path(directory_.path().toStdString()) / "tokenizer.json"; }

    Tokenizer tokenizer_of(const json& document) const {
        std::ofstream(file()) << document.dump();
        return Tokenizer::open(file().parent_path());
    }

    std::vector<int64_t> ids_of(const json& document, const std::string& text) const { return tokenizer_of(document).encode(text); }

private Q_SLOTS:
    // Byte-level tokenizers lose nothing; one that normalizes (NFC), or writes spaces as U+2581, would.
    void decoding_gives_the_text_back_data() {
        QTest::addColumn<QString>("file");
        QTest::newRow("tiny_bytelevel") << QString::fromStdString((golden / "tiny_bytelevel.json").string());
        QTest::newRow("llama3_style") << QString::fromStdString((golden / "llama3_style.json").string());
        QTest::newRow("demo") << QString::fromStdString((demo / "tiny-llama-shakespeare" / "tokenizer.json").string());
    }
    void decoding_gives_the_text_back() {
        QFETCH(QString, file);
        const auto tokenizer = Tokenizer::from_file(file.toStdString());
        for (uint64_t seed = 0; seed < 500; ++seed) {
            const std::string text = hostile_text(seed);
            const auto ids = tokenizer.encode(text, false);
            QCOMPARE(tokenizer.decode(ids), text);
            for (const int64_t id : ids)
                QVERIFY(id >= 0 && id < tokenizer.vocab_size() && tokenizer.token(id));
        }
    }

    void what_the_words_seen_before_were_does_not_matter() {
        const auto used = Tokenizer::from_file(golden / "qwen2_style.json");
        for (uint64_t seed = 0; seed < 50; ++seed)
            (void)used.encode(hostile_text(seed));
        for (uint64_t seed = 0; seed < 50; ++seed) {
            const auto fresh = Tokenizer::from_file(golden / "qwen2_style.json");
            QCOMPARE(used.encode(hostile_text(seed)), fresh.encode(hostile_text(seed)));
        }
    }

    void threads_share_a_tokenizer() {
        const auto tokenizer = Tokenizer::open(demo / "tiny-llama-shakespeare");
        const std::string text = read_text(demo / "shakespeare.txt").substr(0, 100000);
        const auto alone = Tokenizer::open(demo / "tiny-llama-shakespeare").encode(text);
        std::vector<std::vector<int64_t>> ids(4);
        std::vector<std::thread> threads;
        for (auto& result : ids)
            threads.emplace_back([&] { result = tokenizer.encode(text); });
        for (std::thread& thread : threads)
            thread.join();
        for (const auto& result : ids)
            QVERIFY(result == alone);
    }

    void merges_are_pairs_or_one_string() {
        json document = small_tokenizer();
        QCOMPARE(ids_of(document, "abcab"), (std::vector<int64_t>{4, 2, 4}));
        document["model"]["merges"] = json::array({json::array({"a", "b"})});
        QCOMPARE(ids_of(document, "abcab"), (std::vector<int64_t>{4, 2, 4}));
    }

    // Expected ids: tokenizers 0.23.3.
    void unknown_characters_data() {
        QTest::addColumn<QString>("settings");
        QTest::addColumn<std::vector<int64_t>>("ids");
        using Ids = std::vector<int64_t>;
        QTest::newRow("dropped, their neighbours merge") << "{}" << Ids{4};
        QTest::newRow("each") << R"({"unk_token": "c"})" << Ids{0, 2, 2, 1, 2};
        QTest::newRow("fused") << R"({"unk_token": "c", "fuse_unk": true})" << Ids{0, 2, 1, 2};
        QTest::newRow("bytes") << R"({"unk_token": "c", "byte_fallback": true,
            "vocab": {"a": 0, "b": 1, "c": 2, "<0xC3>": 7, "<0xA9>": 8, "<0x78>": 9}, "merges": []})" << Ids{0, 7, 8, 9, 1, 9};
        // Only whole characters fall back; the unknown token still held back comes after the bytes.
        QTest::newRow("some bytes") << R"({"unk_token": "c", "byte_fallback": true,
            "vocab": {"a": 0, "b": 1, "c": 2, "<0xC3>": 7, "<0x78>": 9}, "merges": []})" << Ids{0, 9, 2, 1, 9};
    }
    void unknown_characters() {
        QFETCH(QString, settings);
        QFETCH(std::vector<int64_t>, ids);
        json document = small_tokenizer();
        document["model"].update(json::parse(settings.toStdString()));
        QCOMPARE(ids_of(document, "a\u00E9xbx"), ids);
    }

    void subword_affixes_are_part_of_the_token() {
        json document = small_tokenizer();
        document["model"].update(json::parse(R"({"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
            "vocab": {"a": 0, "##b": 1, "##c</w>": 2, "ab": 3, "a</w>": 4}, "merges": ["a ##b"]})"));
        document["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
        QCOMPARE(ids_of(document, "abc a"), (std::vector<int64_t>{3, 2, 4}));
    }

    // Expected ids: tokenizers 0.23.3.
    void added_tokens_data() {
        QTest::addColumn<QString>("token");
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<std::vector<int64_t>>("ids");
        using Ids = std::vector<int64_t>;
        QTest::newRow("in the text") << R"({"content": "<x>"})" << QByteArray("a<x>b<x><x>") << Ids{0, 5, 1, 5, 5};
        QTest::newRow("keeps the vocabulary's id") << R"({"content": "ab"})" << QByteArray("aab") << Ids{0, 4};
        QTest::newRow("single word") << R"({"content": "b", "single_word": true})" << QByteArray("ab b c_b") << Ids{4, 3, 1, 3, 2, 1};
        QTest::newRow("takes the space") << R"({"content": "<x>", "lstrip": true, "rstrip": true})"
                                         << QByteArray("a \u3000<x> \n<x> b") << Ids{0, 5, 5, 1};
        QTest::newRow("normalized") << R"({"content": "Q", "normalized": true})" << QByteArray("aQqA") << Ids{0, 5, 5, 0};
        QTest::newRow("as written") << R"({"content": "Q", "normalized": false})" << QByteArray("aQqA") << Ids{0, 5, 0};
    }
    void added_tokens() {
        QFETCH(QString, token);
        QFETCH(QByteArray, text);
        QFETCH(std::vector<int64_t>, ids);
        json document = small_tokenizer();
        json added = json::parse(R"({"id": 5, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false})");
        added.update(json::parse(token.toStdString()));
        document["added_tokens"].push_back(added);
        document["normalizer"] = {{"type", "Lowercase"}};
        QCOMPARE(ids_of(document, text.toStdString()), ids);
    }

    void the_longest_added_token_wins() {
        json document = small_tokenizer();
        document["added_tokens"] = json::parse(R"([{"content": "<x>", "special": true}, {"content": "<x><y>", "special": true}])");
        const auto tokenizer = tokenizer_of(document);
        QCOMPARE(tokenizer.encode("<x><y><x><"), (std::vector<int64_t>{6, 5}));
        QCOMPARE(tokenizer.vocab_size(), int64_t{7});
        QCOMPARE(tokenizer.decode(std::vector<int64_t>{0, 6, 1}, true), std::string("a b"));
        QCOMPARE(tokenizer.token(6), std::optional<std::string>("<x><y>"));
        QVERIFY(!tokenizer.token(7));
    }

    void special_tokens_surround_the_text() {
        json document = small_tokenizer();
        document["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "c", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "b", "type_id": 0}}],
            "pair": [], "special_tokens": {"c": {"id": "c", "ids": [2], "tokens": ["c"]}, "b": {"id": "b", "ids": [1], "tokens": ["b"]}}}]})");
        const auto tokenizer = tokenizer_of(document);
        QCOMPARE(tokenizer.encode("ab", true), (std::vector<int64_t>{2, 4, 1}));
        QCOMPARE(tokenizer.encode("ab", false), (std::vector<int64_t>{4}));
        QCOMPARE(tokenizer.encode("", true), (std::vector<int64_t>{2, 1}));
    }

    void malformed_text_is_refused() {
        QVERIFY_EXCEPTION_THROWN((void)tokenizer_of(small_tokenizer()).encode("ab\xFF"), InputError);
    }

    void a_bad_file_is_refused_by_name_and_key_data() {
        QTest::addColumn<QString>("patch");  // RFC 7386
        QTest::addColumn<QString>("complaint");
        QTest::newRow("no model") << R"({"model": null})" << "model is missing";
        QTest::newRow("unigram") << R"({"model": {"type": "Unigram"}})" << "model.type is \"Unigram\"";
        QTest::newRow("dropout") << R"({"model": {"dropout": 0.1}})" << "model.dropout";
        QTest::newRow("no vocabulary") << R"({"model": {"vocab": null}})" << "model.vocab is missing";
        QTest::newRow("vocabulary of strings") << R"({"model": {"vocab": {"a": "0"}}})" << "model.vocab gives the token \"a\"";
        QTest::newRow("negative id") << R"({"model": {"vocab": {"a": -1}}})" << "model.vocab gives the token \"a\"";
        QTest::newRow("merge of one") << R"({"model": {"merges": ["a b", "ab"]}})" << "model.merges[1] must be two tokens";
        QTest::newRow("merge of strangers") << R"({"model": {"merges": ["a z"]}})" << "model.merges[0] needs the token \"z\"";
        QTest::newRow("merge into a stranger") << R"({"model": {"merges": ["b a"]}})" << "model.merges[0] needs the token \"ba\"";
        QTest::newRow("normalizer") << R"({"normalizer": {"type": "Nmt"}})" << "normalizer.type is \"Nmt\"";
        QTest::newRow("nested") << R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]}})"
                                << "normalizer.normalizers[1].type is \"Nmt\"";
        QTest::newRow("no type") << R"({"pre_tokenizer": {}})" << "pre_tokenizer.type is missing";
        QTest::newRow("pre-tokenizer") << R"({"pre_tokenizer": {"type": "Magic"}})" << "pre_tokenizer.type is \"Magic\"";
        QTest::newRow("not an object") << R"({"pre_tokenizer": 3})" << "pre_tokenizer must be a JSON object";
        QTest::newRow("behavior") << R"({"pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Eaten", "invert": false}})"
                                  << "pre_tokenizer.behavior is \"Eaten\"";
        QTest::newRow("regex") << R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "+a"}, "behavior": "Removed", "invert": false}})"
                               << "pre_tokenizer.pattern.Regex holds the regular expression +a";
        QTest::newRow("scheme") << R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "often"}})"
                                << "pre_tokenizer.prepend_scheme is \"often\"";
        QTest::newRow("long replacement") << R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "__"}})"
                                          << "pre_tokenizer.replacement must be a single character";
        QTest::newRow("post-processor") << R"({"post_processor": {"type": "Magic"}})" << "post_processor.type is \"Magic\"";
        QTest::newRow("special token") << R"({"post_processor": {"type": "TemplateProcessing", "special_tokens": {},
            "single": [{"SpecialToken": {"id": "x"}}]}})" << "post_processor.special_tokens.x is missing";
        QTest::newRow("no place for the text") << R"({"post_processor": {"type": "TemplateProcessing", "special_tokens": {}, "single": []}})"
                                               << "post_processor.single has no place";
        QTest::newRow("decoder") << R"({"decoder": {"type": "CTC"}})" << "decoder.type is \"CTC\"";
        QTest::newRow("added token") << R"({"added_tokens": [{"id": 1}]})" << "added_tokens[0].content is missing";
        QTest::newRow("added tokens") << R"({"added_tokens": {}})" << "added_tokens must be a list";
        QTest::newRow("boolean") << R"({"model": {"fuse_unk": "yes"}})" << "model.fuse_unk must be true or false";
    }
    void a_bad_file_is_refused_by_name_and_key() {
        QFETCH(QString, patch);
        QFETCH(QString, complaint);
        json document = small_tokenizer();
        document.merge_patch(json::parse(patch.toStdString()));
        try {
            (void)tokenizer_of(document);
            QFAIL("was accepted");
        } catch (const InputError& error) {
            const QString what = error.what();
            QVERIFY2(what.contains(complaint), error.what());
            QVERIFY2(what.contains(QString::fromStdString(file().string())), error.what());
            QVERIFY2(!what.contains("json.exception"), error.what());
        }
    }

    void a_file_that_is_no_json_is_refused_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("complaint");
        QTest::newRow("empty") << QByteArray() << "not valid JSON";
        QTest::newRow("broken") << QByteArray("{\n\"model\":\n{]") << "line 3";
        QTest::newRow("not UTF-8") << QByteArray("{\"model\": \"\xFF\"}") << "line 1";
        QTest::newRow("huge number") << QByteArray("{\"model\": 1e999}") << "not valid JSON";
        QTest::newRow("a list") << QByteArray("[]") << "must be a JSON object";
        QTest::newRow("nested without end") << QByteArray(R"({"model":{"type":"BPE","vocab":{},"merges":[]},"normalizer":)")
                                                   + QByteArray(R"({"type":"Sequence","normalizers":[)").repeated(1000)
                                                   + QByteArray("]}").repeated(1000) + "}" << "nested too deeply";
    }
    void a_file_that_is_no_json_is_refused() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, complaint);
        std::ofstream(file(), std::ios::binary).write(bytes.data(), bytes.size());
        try {
            (void)Tokenizer::from_file(file());
            QFAIL("was accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(complaint), error.what());
        }
    }

    void a_missing_file_is_refused() {
        try {
            (void)Tokenizer::open("/nowhere/at/all");
            QFAIL("was accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains("/nowhere/at/all/tokenizer.json"), error.what());
        }
    }

    void an_unknown_token_that_is_unknown_is_refused_when_it_is_needed() {
        json document = small_tokenizer();
        document["model"]["unk_token"] = "<unk>";
        const auto tokenizer = tokenizer_of(document);
        QCOMPARE(tokenizer.encode("ab"), (std::vector<int64_t>{4}));
        QVERIFY_EXCEPTION_THROWN((void)tokenizer.encode("z"), InputError);
    }
};

QTEST_APPLESS_MAIN(TestTokenizer)
#include "tst_tokenizer.moc"
