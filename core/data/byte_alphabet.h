#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace calibench {

/// GPT-2's one printable character for each byte, so that byte-level BPE works on text: printable Latin-1 stands for
/// itself, the other 68 bytes for U+0100 and up (a space is U+0120).
[[nodiscard]] std::string to_byte_characters(std::string_view bytes);
/// Nothing when a character is not of that alphabet.
[[nodiscard]] std::optional<std::string> from_byte_characters(std::string_view characters);

}  // namespace calibench
