#pragma once

#include <filesystem>
#include <string>

namespace calibench {

/// Both throw InputError naming the file when it cannot be read.
[[nodiscard]] std::string read_bytes(const std::filesystem::path& file);
/// UTF-8 with every line end (CRLF, CR) as LF: the text that Python's open(file).read() gives, so that token ids agree with the peers'.
/// Throws InputError with line and byte offset where the file is not UTF-8.
[[nodiscard]] std::string read_text(const std::filesystem::path& file);

}  // namespace calibench
