#include "core/data/byte_alphabet.h"

#include <array>

#include "core/data/unicode.h"

namespace calibench {

namespace {

struct Alphabet {
    std::array<std::string, 256> of_byte;   // UTF-8
    std::array<int, 256 + 68> of_character{};  // -1: none
};

const Alphabet& alphabet() {
    static const Alphabet table = [] {
        Alphabet result;
        result.of_character.fill(-1);
        char32_t next_free = 0x100;
        for (int byte = 0; byte < 256; ++byte) {
            const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
            const char32_t character = printable ? static_cast<char32_t>(byte) : next_free++;
            append_utf8(result.of_byte[static_cast<size_t>(byte)], character);
            result.of_character[character] = byte;
        }
        return result;
    }();
    return table;
}

}  // namespace

std::string to_byte_characters(std::string_view bytes) {
    const Alphabet& table = alphabet();
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 4);
    for (const char byte : bytes)
        out += table.of_byte[static_cast<unsigned char>(byte)];
    return out;
}

std::optional<std::string> from_byte_characters(std::string_view characters) {
    const Alphabet& table = alphabet();
    std::string out;
    for (size_t at = 0; at < characters.size();) {
        const CodePoint c = code_point_at(characters, at);
        const int byte = c.value < table.of_character.size() ? table.of_character[c.value] : -1;
        if (byte < 0)
            return std::nullopt;
        out.push_back(static_cast<char>(byte));
        at += c.length;
    }
    return out;
}

}  // namespace calibench
