#include "core/recipe/yaml_writer.h"

#include <algorithm>
#include <cctype>

#include "core/recipe/yaml_tree.h"

namespace calibench {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLineWidth = 88;  // llm-compressor's

std::string write_number(const Json& number) {
    std::string digits = number.dump();
    if (digits == "null") return number.get<double>() > 0 ? ".inf" : number.get<double>() < 0 ? "-.inf" : ".nan";
    // PyYAML takes 1e-05 for text, 1.0e-05 for a number.
    const size_t exponent = digits.find('e');
    if (exponent != std::string::npos && digits.find('.') == std::string::npos) digits.insert(exponent, ".0");
    return digits;
}

std::string write_scalar(const Json& value, char quote) {
    if (value.is_string()) return write_yaml_text(value.get<std::string>(), quote);
    return value.is_number_float() ? write_number(value) : value.dump();
}

bool is_leaf(const Json& value) {
    return std::none_of(value.begin(), value.end(), [](const Json& child) { return child.is_structured() && !child.empty(); });
}

char quote_in(const Json& collection, const YamlStyle& style) {
    return style.json || (style.list_quotes && collection.is_array()) ? '"' : '\0';
}

std::string write_key(const std::string& key, const YamlStyle& style) { return write_yaml_text(key, style.json ? '"' : '\0') + ":"; }

}  // namespace

std::string write_yaml_text(const std::string& text, char quote) {
    const auto is_plain_char = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/'; };
    const bool plain = quote == '\0' && !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_') &&
                       std::all_of(text.begin(), text.end(), is_plain_char) && resolve_plain_scalar(text).is_string();
    if (plain) return text;
    const bool one_line = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    if (!one_line || quote == '"') return Json(text).dump();  // JSON's escapes are valid in YAML's double quotes
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    return quoted + "'";
}

std::string write_yaml_inline(const Json& value, const YamlStyle& style) {
    if (!value.is_structured()) return write_scalar(value, style.json ? '"' : '\0');
    std::string text;
    for (const auto& [key, child] : value.items()) {
        if (!text.empty()) text += ", ";
        if (value.is_object()) text += write_key(key, style) + " ";
        text += child.is_structured() ? write_yaml_inline(child, style) : write_scalar(child, quote_in(value, style));
    }
    return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

bool fits_line(const Json& value, size_t column, const YamlStyle& style) {
    if (!value.is_structured() || value.empty() || style.flow) return true;
    if (!is_leaf(value)) return false;
    const std::optional<bool>& wanted = value.is_object() ? style.flow_maps : style.flow_lists;
    const size_t room = wanted == true ? 2 * kLineWidth : kLineWidth;
    return wanted != false && column + 1 + write_yaml_inline(value, style).size() <= room;
}

std::string write_yaml_block(const Json& value, size_t column, const YamlStyle& style) {
    const std::string margin(column, ' ');
    std::string out;
    for (const auto& [key, child] : value.items()) {
        const std::string head = value.is_object() ? margin + write_key(key, style) : margin + "-";
        out += head;
        if (!child.is_structured())
            out += " " + write_scalar(child, quote_in(value, style)) + style.newline;
        else if (value.is_array() || fits_line(child, head.size(), style))
            out += " " + write_yaml_inline(child, style) + style.newline;
        else
            out += style.newline + write_yaml_block(child, column + (child.is_array() ? style.dash_indent : style.step), style);
    }
    return out;
}

std::string write_yaml(const Json& object) { return write_yaml_block(object, 0, {}); }

}  // namespace calibench
