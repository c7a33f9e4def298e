#include "core/data/normalizer.h"

#include <utility>
#include <vector>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/byte_alphabet.h"
#include "core/data/text_pattern.h"
#include "core/data/unicode.h"

namespace calibench {

namespace {

// The tokenizers library normalizes by the tables of Unicode 9.0; what was added later it leaves as it is.
constexpr int newest_normalized = 9;

const icu::UnicodeSet& normalized_characters() {
    static const icu::UnicodeSet set = [] {
        UErrorCode status = U_ZERO_ERROR;
        icu::UnicodeSet characters(u"[:age=9.0:]", status);
        if (U_FAILURE(status))
            throw RunError(concat("ICU cannot load its character properties (", u_errorName(status), ")."));
        characters.freeze();
        return characters;
    }();
    return set;
}

/// NFC, NFD, NFKC or NFKD.
class UnicodeForm : public Normalizer {
public:
    using GetForm = const icu::Normalizer2* (*)(UErrorCode&);

    explicit UnicodeForm(GetForm get) : form_(load(get), normalized_characters()) {}

    void apply(std::string& text) const override {
        UErrorCode status = U_ZERO_ERROR;
        std::string out;
        icu::StringByteSink<std::string> sink(&out);
        form_.normalizeUTF8(0, text, sink, nullptr, status);
        if (U_FAILURE(status))
            throw RunError(concat("ICU cannot normalize the text (", u_errorName(status), ")."));
        text = std::move(out);
    }

private:
    static const icu::Normalizer2& load(GetForm get) {
        UErrorCode status = U_ZERO_ERROR;
        const icu::Normalizer2* form = get(status);  // owned by ICU
        if (U_FAILURE(status))
            throw RunError(concat("ICU cannot load its normalization data (", u_errorName(status), ")."));
        return *form;
    }

    icu::FilteredNormalizer2 form_;
};

/// Rewrites one code point at a time; `Rewrite` appends what it becomes.
class CharacterRewrite : public Normalizer {
public:
    using Rewrite = void (*)(std::string& out, char32_t c);

    explicit CharacterRewrite(Rewrite rewrite) : rewrite_(rewrite) {}

    void apply(std::string& text) const override {
        std::string out;
        out.reserve(text.size());
        for (size_t at = 0; at < text.size();) {
            const CodePoint c = code_point_at(text, at);
            rewrite_(out, c.value);
            at += c.length;
        }
        text = std::move(out);
    }

private:
    Rewrite rewrite_;
};

void append_lowercase(std::string& out, char32_t c) {
    constexpr char32_t capital_i_with_dot = 0x130, combining_dot_above = 0x307;
    // The one letter whose lower case is two characters wherever it stands.
    if (c == capital_i_with_dot) {
        out.push_back('i');
        append_utf8(out, combining_dot_above);
    } else {
        append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
    }
}

void append_unless_mark(std::string& out, char32_t c) {
    UVersionInfo age;
    u_charAge(static_cast<UChar32>(c), age);
    if (!is_mark(c) || age[0] > newest_normalized)
        append_utf8(out, c);
}

class Strip : public Normalizer {
public:
    explicit Strip(const JsonNode& node)
        : left_(node.at("strip_left").boolean()), right_(node.at("strip_right").boolean()) {}

    void apply(std::string& text) const override {
        const auto spaces = TextPattern(is_white_space).stretches(text);
        size_t begin = 0, end = text.size();
        for (auto s = spaces.begin(); left_ && s != spaces.end() && s->matched; ++s)
            begin = s->end;
        for (auto s = spaces.rbegin(); right_ && s != spaces.rend() && s->matched && s->begin >= begin; ++s)
            end = s->begin;
        text = text.substr(begin, end - begin);
    }

private:
    bool left_;
    bool right_;
};

class Prepend : public Normalizer {
public:
    explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}

    void apply(std::string& text) const override {
        if (!text.empty())
            text.insert(0, prefix_);
    }

private:
    std::string prefix_;
};

class Replace : public Normalizer {
public:
    Replace(TextPattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}

    void apply(std::string& text) const override { text = pattern_.replace_all(text, content_); }

private:
    TextPattern pattern_;
    std::string content_;
};

class ByteCharacters : public Normalizer {
public:
    void apply(std::string& text) const override { text = to_byte_characters(text); }
};

class Sequence : public Normalizer {
public:
    explicit Sequence(const JsonNode& list) {
        for (const JsonNode& item : list.items())
            if (auto step = make_normalizer(item))
                steps_.push_back(std::move(step));
    }

    void apply(std::string& text) const override {
        for (const auto& step : steps_)
            step->apply(text);
    }

private:
    std::vector<std::unique_ptr<const Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<const Normalizer> make_normalizer(const JsonNode& node) {
    if (node.is_null())
        return nullptr;
    const std::string type = node.at("type").string();
    if (type == "Sequence")
        return std::make_unique<Sequence>(node.at("normalizers"));
    if (type == "NFC")
        return std::make_unique<UnicodeForm>(icu::Normalizer2::getNFCInstance);
    if (type == "NFD")
        return std::make_unique<UnicodeForm>(icu::Normalizer2::getNFDInstance);
    if (type == "NFKC")
        return std::make_unique<UnicodeForm>(icu::Normalizer2::getNFKCInstance);
    if (type == "NFKD")
        return std::make_unique<UnicodeForm>(icu::Normalizer2::getNFKDInstance);
    if (type == "Lowercase")
        return std::make_unique<CharacterRewrite>(append_lowercase);
    if (type == "StripAccents")
        return std::make_unique<CharacterRewrite>(append_unless_mark);
    if (type == "Strip")
        return std::make_unique<Strip>(node);
    if (type == "Prepend")
        return std::make_unique<Prepend>(node.at("prepend").string());
    if (type == "Replace")
        return std::make_unique<Replace>(TextPattern::from_json(node.at("pattern")), node.at("content").string());
    if (type == "ByteLevel")
        return std::make_unique<ByteCharacters>();
    node.at("type").fail(concat("is \"", type, "\", a normalizer Calibench does not have: it knows Sequence, NFC, NFD, NFKC, NFKD, "
                                "Lowercase, StripAccents, Strip, Prepend, Replace and ByteLevel."));
}

}  // namespace calibench
