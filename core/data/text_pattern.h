#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/data/json_node.h"
#include "core/data/regex.h"
#include "core/data/unicode.h"

namespace calibench {

/// Bytes [begin, end) of a text, and whether the pattern matched there.
struct Stretch {
    size_t begin = 0;
    size_t end = 0;
    bool matched = false;
};

/// What a Split or Replace looks for: a string, a regular expression, or any character of a class.
class TextPattern {
public:
    explicit TextPattern(std::string literal);
    explicit TextPattern(Regex regex) : pattern_(std::move(regex)) {}
    explicit TextPattern(CharacterClass character_class) : pattern_(character_class) {}

    /// {"String": "..."} or {"Regex": "..."}.
    [[nodiscard]] static TextPattern from_json(const JsonNode& node);

    /// Matches and what lies between them, in order, together the whole text. A match may be empty, a gap is not.
    [[nodiscard]] std::vector<Stretch> stretches(std::string_view text) const;
    [[nodiscard]] std::string replace_all(std::string_view text, std::string_view by) const;

private:
    std::variant<std::string, Regex, CharacterClass> pattern_;
};

/// What becomes of the matches when a text is split at them.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext" or "Contiguous".
[[nodiscard]] SplitBehavior split_behavior_from_json(const JsonNode& node);

/// The stretches that are left; their `matched` no longer means anything.
[[nodiscard]] std::vector<Stretch> split(std::vector<Stretch> stretches, SplitBehavior behavior);

}  // namespace calibench
