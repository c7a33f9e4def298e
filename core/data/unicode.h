#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace calibench {

struct CodePoint {
    char32_t value = 0;   ///< U+FFFD when not valid
    uint32_t length = 1;  ///< bytes; of a malformed sequence its longest well-formed beginning, at least one byte
    bool valid = true;
};

/// The code point at byte `at`, which must be inside the text. Well-formedness as Unicode's table 3-7 has it.
[[nodiscard]] CodePoint code_point_at(std::string_view text, size_t at);
/// The last code point of a well-formed, non-empty text.
[[nodiscard]] char32_t last_code_point(std::string_view text);
void append_utf8(std::string& out, char32_t code_point);

/// The byte offset of the first malformed sequence, if there is one.
[[nodiscard]] std::optional<size_t> find_invalid_utf8(std::string_view text);
/// Each malformed sequence becomes one U+FFFD.
[[nodiscard]] std::string repair_utf8(std::string_view bytes);

using CharacterClass = bool (*)(char32_t);
[[nodiscard]] bool is_white_space(char32_t c);  ///< property White_Space
[[nodiscard]] bool is_number(char32_t c);       ///< categories Nd, Nl, No
[[nodiscard]] bool is_mark(char32_t c);         ///< categories Mn, Mc, Me
[[nodiscard]] bool is_punctuation(char32_t c);  ///< categories P*, and the ASCII symbols
[[nodiscard]] bool is_word_character(char32_t c);  ///< \w of UTS #18: alphabetic, marks, digits, connectors, joiners

}  // namespace calibench
