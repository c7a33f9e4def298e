#pragma once

#include <optional>
#include <string>
#include <vector>

namespace calibench {

/// A preset of auto-round (auto_round/schemes.py) in its own vocabulary. Recipes cannot name these: preset_scheme looks here to
/// tell a person who does what to write instead.
struct AutoRoundPreset {
    std::string name;
    int bits = 4;
    std::vector<int64_t> group_size;  ///< {columns} (-1: a row, 0: the whole tensor) or {rows, columns} of a block
    bool sym = true;
    std::string data_type = "int";
    int act_bits = 16;
    std::optional<std::string> act_data_type;
    std::optional<int64_t> act_group_size;
    std::optional<bool> act_sym;
    std::optional<bool> act_dynamic;
    std::optional<int> super_bits;  ///< GGUF: the scales of super_group_size groups are quantized themselves
    std::optional<int> super_group_size;
};

/// Null when auto-round has no preset of that name (upper case).
[[nodiscard]] const AutoRoundPreset* find_auto_round_preset(const std::string& name);

/// What a recipe would have to say instead, or why it cannot; a sentence.
[[nodiscard]] std::string explain(const AutoRoundPreset& preset);

}  // namespace calibench
