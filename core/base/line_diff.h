#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace calibench {

struct DiffLine {
    enum class Kind { Same, Removed, Added, Gap };
    Kind kind = Kind::Same;
    std::string text;  ///< without its line break; of a gap: "@@ -12,7 +12,8 @@"

    bool operator==(const DiffLine&) const = default;
};

/// All lines of both texts, as few of them removed and added as can be; what is removed stands before what takes its place. For recipes,
/// not for logs: where texts differ over thousands of lines, all between the first and the last difference counts as changed.
[[nodiscard]] std::vector<DiffLine> diff_lines(std::string_view before, std::string_view after);

/// The changes only, with `context` equal lines around, and a gap before each stretch of them. Empty when the texts have the same lines.
[[nodiscard]] std::vector<DiffLine> unified_diff(std::string_view before, std::string_view after, size_t context = 3);

}  // namespace calibench
