#include "core/data/decoder.h"

#include <charconv>
#include <optional>
#include <utility>

#include "core/base/text.h"
#include "core/data/byte_alphabet.h"
#include "core/data/text_pattern.h"
#include "core/data/unicode.h"

namespace calibench {

namespace {

std::string join(const std::vector<std::string>& tokens) {
    std::string text;
    for (const std::string& token : tokens)
        text += token;
    return text;
}

class ByteLevel : public Decoder {
public:
    void apply(std::vector<std::string>& tokens) const override {
        std::string bytes;
        for (const std::string& token : tokens)
            bytes += from_byte_characters(token).value_or(token);
        tokens = {repair_utf8(bytes)};
    }
};

/// Runs of <0x..> tokens become the characters those bytes spell, or one U+FFFD for each byte when they spell none.
class ByteFallback : public Decoder {
public:
    void apply(std::vector<std::string>& tokens) const override {
        std::vector<std::string> out;
        std::string run;
        const auto flush = [&] {
            if (find_invalid_utf8(run))
                out.insert(out.end(), run.size(), "\uFFFD");
            else if (!run.empty())
                out.push_back(run);
            run.clear();
        };
        for (std::string& token : tokens) {
            if (const auto byte = byte_of(token)) {
                run.push_back(*byte);
            } else {
                flush();
                out.push_back(std::move(token));
            }
        }
        flush();
        tokens = std::move(out);
    }

private:
    static std::optional<char> byte_of(const std::string& token) {
        if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>')
            return std::nullopt;
        unsigned byte = 0;
        const char* end = token.data() + 5;
        const auto [stop, error] = std::from_chars(token.data() + 3, end, byte, 16);
        if (error != std::errc() || stop != end)
            return std::nullopt;
        return static_cast<char>(byte);
    }
};

class Fuse : public Decoder {
public:
    void apply(std::vector<std::string>& tokens) const override { tokens = {join(tokens)}; }
};

class Replace : public Decoder {
public:
    Replace(TextPattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}

    void apply(std::vector<std::string>& tokens) const override {
        for (std::string& token : tokens)
            token = pattern_.replace_all(token, content_);
    }

private:
    TextPattern pattern_;
    std::string content_;
};

/// Takes up to `start` and `stop` times a character off the two ends of each token.
class Strip : public Decoder {
public:
    explicit Strip(const JsonNode& node) : start_(node.at("start").integer()), stop_(node.at("stop").integer()) {
        append_utf8(character_, node.at("content").character());
    }

    void apply(std::vector<std::string>& tokens) const override {
        for (std::string& token : tokens) {
            std::string_view rest = token;
            for (int64_t i = 0; i < start_ && rest.starts_with(character_); ++i)
                rest.remove_prefix(character_.size());
            for (int64_t i = 0; i < stop_ && rest.ends_with(character_); ++i)
                rest.remove_suffix(character_.size());
            token = std::string(rest);
        }
    }

private:
    std::string character_;
    int64_t start_;
    int64_t stop_;
};

class Metaspace : public Decoder {
public:
    explicit Metaspace(const JsonNode& node) {
        append_utf8(replacement_, node.at("replacement").character());
        const bool prefix = node.boolean_or("add_prefix_space", true);
        drops_first_ = node.string_or("prepend_scheme", prefix ? "always" : "never") != "never";
    }

    void apply(std::vector<std::string>& tokens) const override {
        const TextPattern replacement(replacement_);
        for (size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = replacement.replace_all(tokens[i], i == 0 && drops_first_ ? "" : " ");
    }

private:
    std::string replacement_;
    bool drops_first_ = true;
};

/// The suffix that ends a word becomes a space, except in the last token.
class WordSuffix : public Decoder {
public:
    explicit WordSuffix(std::string suffix) : suffix_(std::move(suffix)) {}

    void apply(std::vector<std::string>& tokens) const override {
        for (size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = suffix_.replace_all(tokens[i], i + 1 == tokens.size() ? "" : " ");
    }

private:
    TextPattern suffix_;
};

class Sequence : public Decoder {
public:
    explicit Sequence(const JsonNode& list) {
        for (const JsonNode& item : list.items())
            if (auto step = make_decoder(item))
                steps_.push_back(std::move(step));
    }

    void apply(std::vector<std::string>& tokens) const override {
        for (const auto& step : steps_)
            step->apply(tokens);
    }

private:
    std::vector<std::unique_ptr<const Decoder>> steps_;
};

}  // namespace

std::unique_ptr<const Decoder> make_decoder(const JsonNode& node) {
    if (node.is_null())
        return nullptr;
    const std::string type = node.at("type").string();
    if (type == "Sequence")
        return std::make_unique<Sequence>(node.at("decoders"));
    if (type == "ByteLevel")
        return std::make_unique<ByteLevel>();
    if (type == "ByteFallback")
        return std::make_unique<ByteFallback>();
    if (type == "Fuse")
        return std::make_unique<Fuse>();
    if (type == "Replace")
        return std::make_unique<Replace>(TextPattern::from_json(node.at("pattern")), node.at("content").string());
    if (type == "Strip")
        return std::make_unique<Strip>(node);
    if (type == "Metaspace")
        return std::make_unique<Metaspace>(node);
    if (type == "BPEDecoder")
        return std::make_unique<WordSuffix>(node.at("suffix").string());
    node.at("type").fail(concat("is \"", type, "\", a decoder Calibench does not have: it knows Sequence, ByteLevel, ByteFallback, Fuse, "
                                "Replace, Strip, Metaspace and BPEDecoder."));
}

}  // namespace calibench
