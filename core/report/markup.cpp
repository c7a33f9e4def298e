#include "core/report/markup.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace calibench {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
    uint32_t code = 0;
    size_t length = 0;  ///< 0: no UTF-8
};

Character first_character(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const size_t length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
    if (length == 0 || text.size() < length) return {};
    uint32_t code = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {};
        code = (code << 6) | (byte(i) & 0x3Fu);
    }
    constexpr uint32_t shortest[] = {0, 0, 0x80, 0x800, 0x10000};
    return code < shortest[length] ? Character{} : Character{code, length};
}

bool is_xml(uint32_t code) {
    if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
    return (code < 0xD800 || code > 0xDFFF) && code != 0xFFFE && code != 0xFFFF && code <= 0x10FFFF;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character next = first_character(text);
        switch (next.code) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += next.length > 0 && is_xml(next.code) ? text.substr(0, next.length) : replacement;
        }
        text.remove_prefix(next.length > 0 ? next.length : 1);
    }
    return out;
}

std::string fixed(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, std::isfinite(value) ? value : 0.0);
    const bool is_zero = std::string_view(text).find_first_not_of("-0.") == std::string_view::npos;
    return is_zero && text[0] == '-' ? text + 1 : text;
}

std::string decimal(double value, int digits) {
    std::string out = fixed(value, digits);
    if (out.find('.') != std::string::npos) {
        out.erase(out.find_last_not_of('0') + 1);
        if (out.back() == '.') out.pop_back();
    }
    return out;
}

void Markup::begin(std::string_view name, Attributes attributes) {
    out_ += '<';
    out_ += name;
    for (const Attribute& attribute : attributes) {
        if (attribute.value.empty()) continue;
        out_ += ' ';
        out_ += attribute.name;
        out_ += "=\"";
        out_ += escaped(attribute.value);
        out_ += '"';
    }
}

void Markup::open(std::string_view name, Attributes attributes) {
    begin(name, attributes);
    out_ += '>';
    open_.emplace_back(name);
}

void Markup::close() {
    out_ += "</" + open_.back() + '>';
    open_.pop_back();
}

void Markup::element(std::string_view name, Attributes attributes, std::string_view content) {
    open(name, attributes);
    text(content);
    close();
}

void Markup::empty(std::string_view name, Attributes attributes) {
    begin(name, attributes);
    out_ += "/>";
}

std::string Markup::take() {
    while (!open_.empty()) close();
    return std::exchange(out_, {});
}

}  // namespace calibench
