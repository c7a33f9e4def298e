#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace calibench {

/// How a text is written already, for what is added to it.
struct YamlStyle {
    bool flow = false;              ///< everything in brackets
    bool json = false;              ///< keys and texts in double quotes
    std::optional<bool> flow_maps;  ///< maps of scalars: in brackets, while they fit a line or two? Unset: while they fit a line
    std::optional<bool> flow_lists;
    bool list_quotes = false;       ///< texts of lists in double quotes
    size_t step = 2;                ///< columns per level
    size_t dash_indent = 2;         ///< of a list below its key
    std::string newline = "\n";
};

/// YAML of an object of objects, in the given key order. Small collections of scalars go on one line, as PyYAML writes them; texts are
/// quoted where a YAML 1.1 reader would take them for something else.
[[nodiscard]] std::string write_yaml(const nlohmann::ordered_json& object);

/// One value for the place behind a key, without line breaks.
[[nodiscard]] std::string write_yaml_inline(const nlohmann::ordered_json& value, const YamlStyle& style);
/// Entries of an object or a list, a line each and what is below them, every line indented by `column` and ended.
[[nodiscard]] std::string write_yaml_block(const nlohmann::ordered_json& value, size_t column, const YamlStyle& style);
/// Would write_yaml_block put this value on its key's line, which ends at `column`?
[[nodiscard]] bool fits_line(const nlohmann::ordered_json& value, size_t column, const YamlStyle& style);

/// A text in the quotes it needs; always in `quote` when given and possible.
[[nodiscard]] std::string write_yaml_text(const std::string& text, char quote = '\0');

}  // namespace calibench
