#include "core/data/unicode.h"

#include <unicode/uchar.h>

namespace calibench {

namespace {

constexpr char32_t replacement_character = 0xFFFD;

bool in_category(char32_t c, uint32_t mask) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0; }

}  // namespace

CodePoint code_point_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned lead = byte(at);
    if (lead < 0x80)
        return {lead, 1, true};
    // The second byte's bounds keep out overlong forms (E0, F0), surrogates (ED) and what lies beyond U+10FFFF (F4).
    unsigned low = 0x80, high = 0xBF;
    uint32_t length = 0;
    char32_t value = 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
        value = lead & 0x1F;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        value = lead & 0x0F;
        low = lead == 0xE0 ? 0xA0 : low;
        high = lead == 0xED ? 0x9F : high;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        value = lead & 0x07;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;
    } else {
        return {replacement_character, 1, false};
    }
    for (uint32_t i = 1; i < length; ++i) {
        const unsigned next = byte(at + i);
        if (next < low || next > high)
            return {replacement_character, i, false};
        value = (value << 6) | (next & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    return {value, length, true};
}

char32_t last_code_point(std::string_view text) {
    size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
        --at;
    return code_point_at(text, at).value;
}

void append_utf8(std::string& out, char32_t c) {
    const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | (c >> 6));
        put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        put(0xE0 | (c >> 12));
        put(0x80 | ((c >> 6) & 0x3F));
        put(0x80 | (c & 0x3F));
    } else {
        put(0xF0 | (c >> 18));
        put(0x80 | ((c >> 12) & 0x3F));
        put(0x80 | ((c >> 6) & 0x3F));
        put(0x80 | (c & 0x3F));
    }
}

std::optional<size_t> find_invalid_utf8(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        if (!c.valid)
            return at;
        at += c.length;
    }
    return std::nullopt;
}

std::string repair_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (size_t at = 0; at < bytes.size();) {
        const CodePoint c = code_point_at(bytes, at);
        if (c.valid)
            out.append(bytes, at, c.length);
        else
            append_utf8(out, replacement_character);
        at += c.length;
    }
    return out;
}

bool is_white_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)); }

bool is_number(char32_t c) { return in_category(c, U_GC_N_MASK); }

bool is_mark(char32_t c) { return in_category(c, U_GC_M_MASK); }

bool is_punctuation(char32_t c) {
    const bool ascii_symbol = c < 0x80 && in_category(c, U_GC_S_MASK);
    return ascii_symbol || in_category(c, U_GC_P_MASK);
}

bool is_word_character(char32_t c) {
    constexpr uint32_t categories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
    return in_category(c, categories) || u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_ALPHABETIC) ||
           u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_JOIN_CONTROL);
}

}  // namespace calibench
