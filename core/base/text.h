#pragma once

#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace calibench {

/// Streams its arguments into one string; for messages, not for hot loops.
template <typename... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

/// "a, b, c and 12 more": at most `most` names, so that a message stays one readable sentence.
[[nodiscard]] std::string list_names(std::span<const std::string> names, size_t most = 4);

/// The candidate closest to `word` by edit distance, or empty when none is near: for "did you mean ...?".
[[nodiscard]] std::string closest_match(std::string_view word, std::span<const std::string> candidates);

/// Binary units with three significant digits: "513 MiB".
[[nodiscard]] std::string format_bytes(double bytes);

/// "1:23:45", or "23:45" under an hour.
[[nodiscard]] std::string format_duration(double seconds);

/// As a shell takes it for one word.
[[nodiscard]] std::string shell_word(const std::string& text);

}  // namespace calibench
