#include "core/data/text_file.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/unicode.h"

namespace calibench {

std::string read_bytes(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::error_code unknown;
    if (!in || std::filesystem::is_directory(file, unknown))
        throw InputError(concat(file.string(), " cannot be read: check that it exists, is a file and may be read."));
    std::ostringstream bytes;
    bytes << in.rdbuf();
    return std::move(bytes).str();
}

std::string read_text(const std::filesystem::path& file) {
    const std::string bytes = read_bytes(file);
    if (const auto offset = find_invalid_utf8(bytes)) {
        const auto bad = bytes.begin() + static_cast<std::ptrdiff_t>(*offset);
        throw InputError(concat(file.string(), ": line ", 1 + std::count(bytes.begin(), bad, '\n'), " (byte ", *offset,
                                ") is not UTF-8: save the file in UTF-8."));
    }
    std::string text;
    text.reserve(bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
        const bool before_newline = i + 1 < bytes.size() && bytes[i + 1] == '\n';
        if (bytes[i] != '\r')
            text.push_back(bytes[i]);
        else if (!before_newline)
            text.push_back('\n');
    }
    return text;
}

}  // namespace calibench
