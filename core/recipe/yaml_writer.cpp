#include "core/recipe/yaml_writer.h"

#include <algorithm>
#include <cctype>

#include "core/recipe/yaml_tree.h"

namespace calibench {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLineWidth = 88;  // llm-compressor's

std::string write_text(const std::string& text) {
    const auto is_plain_char = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/'; };
    const bool plain = !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_') &&
                       std::all_of(text.begin(), text.end(), is_plain_char) && resolve_plain_scalar(text).is_string();
    if (plain) return text;
    const bool one_line = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    if (!one_line) return Json(text).dump();  // JSON's escapes are valid in YAML's double quotes
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    return quoted + "'";
}

std::string write_number(const Json& number) {
    std::string digits = number.dump();
    if (digits == "null") return number.get<double>() > 0 ? ".inf" : number.get<double>() < 0 ? "-.inf" : ".nan";
    // PyYAML takes 1e-05 for text, 1.0e-05 for a number.
    const size_t exponent = digits.find('e');
    if (exponent != std::string::npos && digits.find('.') == std::string::npos) digits.insert(exponent, ".0");
    return digits;
}

std::string write_scalar(const Json& value) {
    if (value.is_string()) return write_text(value.get<std::string>());
    return value.is_number_float() ? write_number(value) : value.dump();
}

bool is_leaf(const Json& value) {
    return std::none_of(value.begin(), value.end(), [](const Json& child) { return child.is_structured() && !child.empty(); });
}

std::string write_inline(const Json& value) {
    if (!value.is_structured()) return write_scalar(value);
    std::string text;
    for (const auto& [key, child] : value.items()) {
        if (!text.empty()) text += ", ";
        if (value.is_object()) text += write_text(key) + ": ";
        text += write_inline(child);
    }
    return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

void write_block(const Json& value, size_t indent, std::string& out);

/// What follows a key or a dash: a scalar or a short collection on the same line, else a block below.
void write_value(const Json& value, size_t indent, size_t depth_left_of_text, std::string& out) {
    if (!value.is_structured() || value.empty() || is_leaf(value)) {
        const std::string text = write_inline(value);
        if (!value.is_structured() || value.empty() || depth_left_of_text + text.size() <= kLineWidth) {
            out += " " + text + "\n";
            return;
        }
    }
    out += "\n";
    write_block(value, indent, out);
}

void write_block(const Json& value, size_t indent, std::string& out) {
    const std::string margin(indent, ' ');
    for (const auto& [key, child] : value.items()) {
        const std::string head = value.is_object() ? margin + write_text(key) + ":" : margin + "-";
        out += head;
        write_value(child, indent + 2, head.size() + 1, out);
    }
}

}  // namespace

std::string write_yaml(const Json& object) {
    std::string out;
    write_block(object, 0, out);
    return out;
}

}  // namespace calibench
