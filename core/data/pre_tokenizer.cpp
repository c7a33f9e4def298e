#include "core/data/pre_tokenizer.h"

#include <utility>

#include "core/base/text.h"
#include "core/data/byte_alphabet.h"
#include "core/data/text_pattern.h"
#include "core/data/unicode.h"

namespace calibench {

namespace {

// GPT-2's words: contractions, letters, digits and the rest with the space before them; space before a word stays with it.
constexpr std::string_view gpt2_words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Calls work(piece, out) for every piece that is still text; what it appends to `out` takes the piece's place.
template <typename Work>
void for_each_text(std::vector<Piece>& pieces, Work&& work) {
    std::vector<Piece> out;
    out.reserve(pieces.size());
    for (Piece& piece : pieces) {
        if (piece.added_token)
            out.push_back(std::move(piece));
        else
            work(piece, out);
    }
    pieces = std::move(out);
}

void append_parts(const Piece& piece, const std::vector<Stretch>& parts, std::vector<Piece>& out) {
    for (const Stretch& part : parts)
        if (part.begin < part.end)
            out.push_back({piece.text.substr(part.begin, part.end - part.begin), {}, piece.at_start && part.begin == 0});
}

class Split : public PreTokenizer {
public:
    Split(TextPattern pattern, SplitBehavior behavior, bool invert = false)
        : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

    void apply(std::vector<Piece>& pieces) const override {
        for_each_text(pieces, [this](const Piece& piece, std::vector<Piece>& out) {
            auto stretches = pattern_.stretches(piece.text);
            for (Stretch& s : stretches)
                s.matched = s.matched != invert_;
            append_parts(piece, split(std::move(stretches), behavior_), out);
        });
    }

private:
    TextPattern pattern_;
    SplitBehavior behavior_;
    bool invert_;
};

class ByteLevel : public PreTokenizer {
public:
    explicit ByteLevel(const JsonNode& node) : add_prefix_space_(node.boolean_or("add_prefix_space", true)) {
        if (node.boolean_or("use_regex", true))
            words_.emplace(TextPattern(Regex(gpt2_words)), SplitBehavior::isolated);
    }

    void apply(std::vector<Piece>& pieces) const override {
        for (Piece& piece : pieces)
            if (add_prefix_space_ && !piece.added_token && !piece.text.starts_with(' '))
                piece.text.insert(0, 1, ' ');
        if (words_)
            words_->apply(pieces);
        for (Piece& piece : pieces)
            if (!piece.added_token)
                piece.text = to_byte_characters(piece.text);
    }

private:
    bool add_prefix_space_;
    std::optional<Split> words_;
};

/// SentencePiece's way: spaces become a visible character, which also starts the text.
class Metaspace : public PreTokenizer {
public:
    explicit Metaspace(const JsonNode& node) : split_(node.boolean_or("split", true)) {
        append_utf8(replacement_, node.at("replacement").character());
        // Older files have add_prefix_space alone.
        const bool prefix = node.boolean_or("add_prefix_space", true);
        const std::string scheme = node.string_or("prepend_scheme", prefix ? "always" : "never");
        if (scheme != "always" && scheme != "first" && scheme != "never")
            node.at("prepend_scheme").fail(concat("is \"", scheme, "\": expected always, first or never."));
        always_ = scheme == "always";
        first_ = scheme == "first";
    }

    void apply(std::vector<Piece>& pieces) const override {
        const TextPattern space(std::string(" ")), replacement(replacement_);
        for_each_text(pieces, [&](Piece& piece, std::vector<Piece>& out) {
            piece.text = space.replace_all(piece.text, replacement_);
            if ((always_ || (first_ && piece.at_start)) && !piece.text.starts_with(replacement_))
                piece.text.insert(0, replacement_);
            if (split_)
                append_parts(piece, split(replacement.stretches(piece.text), SplitBehavior::merged_with_next), out);
            else
                out.push_back(std::move(piece));
        });
    }

private:
    std::string replacement_;
    bool always_ = false;
    bool first_ = false;
    bool split_;
};

/// Runs of word characters and runs of others; white space is dropped.
class Whitespace : public PreTokenizer {
public:
    void apply(std::vector<Piece>& pieces) const override {
        for_each_text(pieces, [](const Piece& piece, std::vector<Piece>& out) {
            std::vector<Stretch> words;
            bool after_space = true, after_word = false;
            for (size_t at = 0; at < piece.text.size();) {
                const CodePoint c = code_point_at(piece.text, at);
                const bool space = is_white_space(c.value), word = is_word_character(c.value);
                if (!space && (after_space || word != after_word))
                    words.push_back({at, at + c.length, true});
                else if (!space)
                    words.back().end = at + c.length;
                after_space = space;
                after_word = word;
                at += c.length;
            }
            append_parts(piece, words, out);
        });
    }
};

class Sequence : public PreTokenizer {
public:
    explicit Sequence(std::vector<std::unique_ptr<const PreTokenizer>> steps) : steps_(std::move(steps)) {}

    explicit Sequence(const JsonNode& list) {
        for (const JsonNode& item : list.items())
            if (auto step = make_pre_tokenizer(item))
                steps_.push_back(std::move(step));
    }

    void apply(std::vector<Piece>& pieces) const override {
        for (const auto& step : steps_)
            step->apply(pieces);
    }

private:
    std::vector<std::unique_ptr<const PreTokenizer>> steps_;
};

std::unique_ptr<const PreTokenizer> make_split(CharacterClass characters, SplitBehavior behavior) {
    return std::make_unique<Split>(TextPattern(characters), behavior);
}

std::unique_ptr<const PreTokenizer> make_bert() {
    std::vector<std::unique_ptr<const PreTokenizer>> steps;
    steps.push_back(make_split(is_white_space, SplitBehavior::removed));
    steps.push_back(make_split(is_punctuation, SplitBehavior::isolated));
    return std::make_unique<Sequence>(std::move(steps));
}

std::unique_ptr<const PreTokenizer> make_delimiter_split(const JsonNode& delimiter) {
    std::string character;
    append_utf8(character, delimiter.character());
    return std::make_unique<Split>(TextPattern(std::move(character)), SplitBehavior::removed);
}

}  // namespace

std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const JsonNode& node) {
    if (node.is_null())
        return nullptr;
    const std::string type = node.at("type").string();
    if (type == "Sequence")
        return std::make_unique<Sequence>(node.at("pretokenizers"));
    if (type == "ByteLevel")
        return std::make_unique<ByteLevel>(node);
    if (type == "Split")
        return std::make_unique<Split>(TextPattern::from_json(node.at("pattern")),
                                       split_behavior_from_json(node.at("behavior")), node.at("invert").boolean());
    if (type == "Metaspace")
        return std::make_unique<Metaspace>(node);
    if (type == "Whitespace")
        return std::make_unique<Whitespace>();
    if (type == "WhitespaceSplit")
        return make_split(is_white_space, SplitBehavior::removed);
    if (type == "Digits")
        return make_split(is_number, node.at("individual_digits").boolean() ? SplitBehavior::isolated : SplitBehavior::contiguous);
    if (type == "Punctuation")
        return make_split(is_punctuation,
                          node.has("behavior") ? split_behavior_from_json(node.at("behavior")) : SplitBehavior::isolated);
    if (type == "BertPreTokenizer")
        return make_bert();
    if (type == "CharDelimiterSplit")
        return make_delimiter_split(node.at("delimiter"));
    node.at("type").fail(concat("is \"", type, "\", a pre-tokenizer Calibench does not have: it knows Sequence, ByteLevel, Split, "
                                "Metaspace, Whitespace, WhitespaceSplit, Digits, Punctuation, BertPreTokenizer and CharDelimiterSplit."));
}

}  // namespace calibench
