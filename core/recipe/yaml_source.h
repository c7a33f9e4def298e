#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace calibench {

struct SourceEntry;

/// A YAML value as the bytes that spell it: what YamlNode is for reading, this is for writing into the text.
struct SourceNode {
    enum class Kind { Null, Scalar, Sequence, Map, Alias };
    Kind kind = Kind::Null;
    bool flow = false;      ///< a collection in brackets
    bool repeated = false;  ///< an alias further down stands for it too
    std::string scalar;     ///< the text it means; an alias's name
    size_t begin = 0;       ///< offset of its first byte, tag and anchor left out; an absent null is empty, right behind its ':' or '-'
    size_t end = 0;         ///< behind its last byte
    std::vector<SourceEntry> entries;  ///< of a map, or the items of a list

    [[nodiscard]] const SourceEntry* find(const std::string& key) const;
    [[nodiscard]] bool is_collection() const { return kind == Kind::Sequence || kind == Kind::Map; }
};

struct SourceEntry {
    std::string key;        ///< empty in a list
    size_t begin = 0;       ///< of the key, the dash, or an item in brackets
    size_t key_end = 0;     ///< behind the key's last byte, quotes included; of a list: begin
    size_t value_from = 0;  ///< behind the ':' or '-': where a value may start
    bool has_colon = false;
    SourceNode value;

    [[nodiscard]] size_t end() const { return value.end > value_from ? value.end : value_from; }
};

/// The one document of a recipe's text, Markdown around it left out. Throws InputError when the text is no YAML.
class YamlSource {
public:
    explicit YamlSource(std::string text);

    [[nodiscard]] const std::string& text() const { return text_; }
    /// Null-kind for an empty text.
    [[nodiscard]] const SourceNode& root() const { return root_; }
    [[nodiscard]] const std::string& newline() const { return newline_; }  ///< "\n" or "\r\n", as the first line has it
    /// What the text means, aliases and merge keys resolved.
    [[nodiscard]] const nlohmann::json& meaning() const { return meaning_; }
    /// What the value below these keys means, from the top; null where there is none.
    [[nodiscard]] const nlohmann::json* find(const std::vector<std::string>& keys) const;

    [[nodiscard]] size_t line_begin(size_t offset) const;  ///< behind a byte order mark
    /// The offset of the line's newline, "\r" before it included, or the text's end.
    [[nodiscard]] size_t line_end(size_t offset) const;
    [[nodiscard]] size_t column(size_t offset) const { return offset - line_begin(offset); }  ///< from 0
    [[nodiscard]] int line(size_t offset) const;                                              ///< from 1

private:
    std::string text_;
    std::string newline_;
    SourceNode root_;
    nlohmann::json meaning_;
};

/// Offset of line and column, both from 1, or npos beyond the text.
[[nodiscard]] size_t offset_of(const std::string& text, int line, int column);

}  // namespace calibench
