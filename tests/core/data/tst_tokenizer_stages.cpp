#include <string>
#include <vector>

#include <QtTest/QTest>

#include "core/base/text.h"
#include "core/data/decoder.h"
#include "core/data/normalizer.h"
#include "core/data/pre_tokenizer.h"

using namespace calibench;

namespace {

using Strings = std::vector<std::string>;

// What Hugging Face's tokenizers 0.23.3 gives for the same component and text.

struct PreTokenizerCase {
    const char* name;
    const char* json;
    std::string text;
    Strings pieces;
};

const std::vector<PreTokenizerCase>& pre_tokenizer_cases() {
    static const std::vector<PreTokenizerCase> cases = {
        {"split_removed", R"json({"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Removed","invert":false})json",
         "Hi  you're 42\u00BD\n\tThe-end, \u2581x", {"Hi", "you're", "42\u00BD", "The-end,", "\u2581x"}},
        {"split_isolated", R"json({"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Isolated","invert":false})json",
         "Hi  you're 42\u00BD\n\tThe-end, \u2581x", {"Hi", "  ", "you're", " ", "42\u00BD", "\n\t", "The-end,", " ", "\u2581x"}},
        {"split_merged_with_previous", R"json({"type":"Split","pattern":{"String":"e"},"behavior":"MergedWithPrevious","invert":false})json",
         "beekeepeer e", {"be", "e", "ke", "e", "pe", "e", "r e"}},
        {"split_merged_with_next", R"json({"type":"Split","pattern":{"String":"e"},"behavior":"MergedWithNext","invert":false})json",
         "beekeepeer e", {"b", "e", "ek", "e", "ep", "e", "er ", "e"}},
        {"split_contiguous", R"json({"type":"Split","pattern":{"String":"e"},"behavior":"Contiguous","invert":false})json",
         "beekeepeer e", {"b", "ee", "k", "ee", "p", "ee", "r ", "e"}},
        {"split_inverted", R"json({"type":"Split","pattern":{"Regex":"\\w+|[^\\w\\s]+"},"behavior":"Removed","invert":true})json",
         "Hi  you're 42\u00BD\n\tThe-end, \u2581x", {"Hi", "you", "'", "re", "42\u00BD", "The", "-", "end", ",", "\u2581", "x"}},
        {"split_empty_string", R"json({"type":"Split","pattern":{"String":""},"behavior":"Isolated","invert":false})json",
         "a\u00F1", {"a", "\u00F1"}},
        {"split_empty_matches", R"json({"type":"Split","pattern":{"Regex":"x*"},"behavior":"Isolated","invert":false})json",
         "axxb", {"a", "xx", "b"}},
        {"byte_level", R"json({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})json",
         "Hi  you're 42\u00BD\n\tThe-end, \u2581x", {"\u0120Hi", "\u0120", "\u0120you", "'re", "\u012042\u00C2\u00BD", "\u010A", "\u0109", "The", "-", "end", ",", "\u0120\u00E2\u0138\u0123", "x"}},
        {"byte_level_no_regex", R"json({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false})json",
         "a \u00E9\n", {"a\u0120\u00C3\u00A9\u010A"}},
        {"metaspace_always", R"json({"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true})json",
         "Hi  you're 42\u00BD\n\tThe-end, \u2581x", {"\u2581Hi", "\u2581", "\u2581you're", "\u258142\u00BD\n\tThe-end,", "\u2581", "\u2581x"}},
        {"metaspace_never_whole", R"json({"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false})json",
         "Hi  you're 42\u00BD\n\tThe-end, \u2581x", {"Hi\u2581\u2581you're\u258142\u00BD\n\tThe-end,\u2581\u2581x"}},
        {"metaspace_old", R"json({"type":"Metaspace","replacement":"_","add_prefix_space":true})json",
         "a b", {"_a", "_b"}},
        {"metaspace_after_split", R"json({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"}, {"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}]})json",
         "one two", {"\u2581one", "two"}},
        {"whitespace", R"json({"type":"Whitespace"})json",
         "a\u0301b c\u200Dd! ?\u00B2 x_y", {"a\u0301b", "c\u200Dd", "!", "?\u00B2", "x_y"}},
        {"whitespace_split", R"json({"type":"WhitespaceSplit"})json", "a b\u3000c\u200Bd ", {"a", "b", "c\u200Bd"}},
        {"digits", R"json({"type":"Digits","individual_digits":false})json", "a12\u00BDb3", {"a", "12\u00BD", "b", "3"}},
        {"digits_individual", R"json({"type":"Digits","individual_digits":true})json",
         "a12\u00BDb3", {"a", "1", "2", "\u00BD", "b", "3"}},
        {"punctuation", R"json({"type":"Punctuation","behavior":"Contiguous"})json",
         "a..b$^\u00ABc", {"a", "..", "b", "$^\u00AB", "c"}},
        {"bert", R"json({"type":"BertPreTokenizer"})json", "Hi, you $1!", {"Hi", ",", "you", "$", "1", "!"}},
        {"delimiter", R"json({"type":"CharDelimiterSplit","delimiter":"|"})json", "a||b|", {"a", "b"}},
        {"oniguruma_interval_plus", R"json({"type":"Split","pattern":{"Regex":"\\d{,2}x|\\h"},"behavior":"Isolated","invert":false})json",
         "12x3xgf", {"12x", "3x", "g", "f"}},
        {"oniguruma_lines", R"json({"type":"Split","pattern":{"Regex":"^b$|(?m:c.d)"},"behavior":"Isolated","invert":false})json",
         "a\nb\nc\nd", {"a\n", "b", "\n", "c\nd"}},
        {"oniguruma_properties", R"json({"type":"Split","pattern":{"Regex":"\\p{Han}+|[\\p{Letter}_]+|\\p{^L}"},"behavior":"Isolated","invert":false})json",
         "\u6F22\u5B57\u30FC_\u00E91", {"\u6F22\u5B57", "\u30FC_\u00E9", "1"}},
        {"oniguruma_white_space", R"json({"type":"Split","pattern":{"Regex":"[^\\S\\n]+"},"behavior":"Isolated","invert":false})json",
         "a\u180Eb\xc2""\x85""\u00A0c\n\u2028d", {"a\u180Eb", "\xc2""\x85""\u00A0", "c\n", "\u2028", "d"}},
        {"oniguruma_caseless", R"json({"type":"Split","pattern":{"Regex":"(?i:'s|'ll)"},"behavior":"Isolated","invert":false})json",
         "a'Sb'\u017Fc'lL", {"a", "'S", "b", "'\u017F", "c", "'lL"}},
    };
    return cases;
}

struct NormalizerCase {
    const char* name;
    const char* json;
    std::string text;
    std::string normalized;
};

const std::vector<NormalizerCase>& normalizer_cases() {
    static const std::vector<NormalizerCase> cases = {
        {"nfc", R"json({"type":"NFC"})json",
         "e\u0301 \u212B \uFB01 \uAC00 \u1100\u1161", "\u00E9 \u00C5 \uFB01 \uAC00 \uAC00"},
        {"nfd", R"json({"type":"NFD"})json",
         "e\u0301 \u212B \uFB01 \uAC00 \u1100\u1161", "e\u0301 A\u030A \uFB01 \u1100\u1161 \u1100\u1161"},
        {"nfkc", R"json({"type":"NFKC"})json",
         "e\u0301 \u212B \uFB01 \uAC00 \u1100\u1161", "\u00E9 \u00C5 fi \uAC00 \uAC00"},
        {"nfkd", R"json({"type":"NFKD"})json",
         "e\u0301 \u212B \uFB01 \uAC00 \u1100\u1161", "e\u0301 A\u030A fi \u1100\u1161 \u1100\u1161"},
        {"younger_than_the_tables", R"json({"type":"NFC"})json", "a\u1AC0\u0316", "a\u1AC0\u0316"},
        {"lowercase", R"json({"type":"Lowercase"})json",
         "\u00C0\u0130\u03A3\u00DF\U00010400", "\u00E0i\u0307\u03C3\u00DF\U00010428"},
        {"strip_accents", R"json({"type":"Sequence","normalizers":[{"type":"NFD"}, {"type":"StripAccents"}]})json",
         "Cr\u00E8me br\u00FBl\u00E9e \u0E33", "Creme brulee \u0E33"},
        {"strip_left", R"json({"type":"Strip","strip_left":true,"strip_right":false})json", " \u3000a b \n", "a b \n"},
        {"strip_both", R"json({"type":"Strip","strip_left":true,"strip_right":true})json", " \t ", ""},
        {"prepend", R"json({"type":"Prepend","prepend":"▁"})json", "ab", "\u2581ab"},
        {"prepend_to_nothing", R"json({"type":"Prepend","prepend":"▁"})json", "", ""},
        {"replace_string", R"json({"type":"Replace","pattern":{"String":" "},"content":"▁"})json",
         "a  b", "a\u2581\u2581b"},
        {"replace_regex", R"json({"type":"Replace","pattern":{"Regex":"\\s+"},"content":"$1 "})json", "a \n b", "a$1 b"},
        {"byte_level", R"json({"type":"ByteLevel"})json", "\u00E9 x", "\u00C3\u00A9\u0120x"},
        {"empty_sequence", R"json({"type":"Sequence","normalizers":[]})json", "\u00C9", "\u00C9"},
    };
    return cases;
}

struct DecoderCase {
    const char* name;
    const char* json;
    Strings tokens;
    std::string text;
};

const std::vector<DecoderCase>& decoder_cases() {
    static const std::vector<DecoderCase> cases = {
        {"byte_level", R"json({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})json",
         {"\u0120a", "\u00C3", "\u00A9", "\u65E5", " b"}, " a\u00E9\u65E5 b"},
        {"byte_level_broken", R"json({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})json",
         {"\u00F0", "\u0141", "\u013A", "x", "\u00C3", "\u00FF"}, "\uFFFDx\uFFFD\uFFFD"},
        {"byte_fallback", R"json({"type":"ByteFallback"})json",
         {"a", "<0xE5>", "<0x8f>", "<0xAB>", "b", "<0xE5>", "<0x8F>", "<0xZZ>", "<0x41>"}, "a\u53EBb\uFFFD\uFFFD<0xZZ>A"},
        {"fuse", R"json({"type":"Fuse"})json", {"a", "b"}, "ab"},
        {"strip", R"json({"type":"Strip","content":" ","start":2,"stop":1})json", {"   a  ", " b", "  b"}, " a bb"},
        {"metaspace", R"json({"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true})json",
         {"\u2581a\u2581b", "\u2581c"}, "ab c"},
        {"metaspace_never", R"json({"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true})json",
         {"\u2581a", "\u2581c"}, " a c"},
        {"replace", R"json({"type":"Replace","pattern":{"String":"▁"},"content":" "})json",
         {"\u2581a", "b\u2581\u2581"}, " ab  "},
        {"word_suffix", R"json({"type":"BPEDecoder","suffix":"</w>"})json", {"a", "b</w>", "c</w>"}, "ab c"},
        {"llama", R"json({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "}, {"type":"ByteFallback"}, {"type":"Fuse"}, {"type":"Strip","content":" ","start":1,"stop":0}]})json",
         {"\u2581\u2581a", "<0x0A>", "\u2581b"}, " a\n b"},
    };
    return cases;
}

template <typename Case>
void add_rows(const std::vector<Case>& cases) {
    QTest::addColumn<size_t>("index");
    for (size_t i = 0; i < cases.size(); ++i)
        QTest::newRow(cases[i].name) << i;
}

/// make(JsonNode) of a text, which need not outlive the component.
template <typename Make>
auto build(const char* json, Make make) {
    const auto document = nlohmann::json::parse(json);
    const std::string file_name = "tokenizer.json";
    return make(JsonNode(document, file_name));
}

std::string print(const Strings& strings) {
    std::string out;
    for (const std::string& s : strings)
        out += concat("[", s, "]");
    return out;
}

}  // namespace

/// The stages of a tokenizer one by one.
class TestTokenizerStages : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void pre_tokenizer_data() { add_rows(pre_tokenizer_cases()); }
    void pre_tokenizer() {
        QFETCH(size_t, index);
        const auto& c = pre_tokenizer_cases()[index];
        std::vector<Piece> pieces{{c.text, {}, true}};
        build(c.json, make_pre_tokenizer)->apply(pieces);
        Strings actual;
        for (const Piece& piece : pieces)
            actual.push_back(piece.text);
        QCOMPARE(print(actual), print(c.pieces));
    }

    void normalizer_data() { add_rows(normalizer_cases()); }
    void normalizer() {
        QFETCH(size_t, index);
        const auto& c = normalizer_cases()[index];
        std::string text = c.text;
        build(c.json, make_normalizer)->apply(text);
        QCOMPARE(text, c.normalized);
    }

    void decoder_data() { add_rows(decoder_cases()); }
    void decoder() {
        QFETCH(size_t, index);
        const auto& c = decoder_cases()[index];
        Strings tokens = c.tokens;
        build(c.json, make_decoder)->apply(tokens);
        std::string text;
        for (const std::string& token : tokens)
            text += token;
        QCOMPARE(text, c.text);
    }

    void an_added_token_passes_untouched() {
        std::vector<Piece> pieces{{"<a b>", 7, true}, {"c d", {}, false}};
        build(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"ByteLevel","add_prefix_space":true}]})",
              make_pre_tokenizer)
            ->apply(pieces);
        QCOMPARE(pieces.size(), size_t{3});
        QCOMPARE(pieces[0].text, std::string("<a b>"));
        QCOMPARE(pieces[0].added_token, std::optional<int64_t>(7));
        QCOMPARE(pieces[1].text, std::string("\u0120c"));
    }
};

QTEST_APPLESS_MAIN(TestTokenizerStages)
#include "tst_tokenizer_stages.moc"
