#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/recipe/diagnostics.h"

namespace calibench {

struct YamlNode;
using YamlNodePtr = std::shared_ptr<const YamlNode>;

struct YamlEntry {
    std::string key;
    SourcePosition where;  ///< of the key
    YamlNodePtr value;     ///< never null
};

/// A YAML value that knows its place in the text. Aliases share nodes, merge keys (`<<`) are already merged.
struct YamlNode {
    enum class Kind { Null, Scalar, Sequence, Map };
    Kind kind = Kind::Null;
    SourcePosition where;
    std::string scalar;
    bool quoted = false;  ///< text, whatever it looks like
    std::vector<YamlNodePtr> items;
    std::vector<YamlEntry> entries;  ///< in text order, every key once
    size_t num_values = 1;           ///< itself and everything below, aliases written out

    [[nodiscard]] const YamlEntry* find(const std::string& key) const;
};

constexpr size_t kMaxRecipeBytes = 1 << 20;  ///< real recipes have a few KiB

/// Reads one YAML document as PyYAML's safe_load would. Duplicate keys, syntax errors, hostile sizes and depths become errors;
/// null when there is no tree to go on with.
[[nodiscard]] YamlNodePtr parse_yaml(const std::string& text, Diagnostics& diagnostics);

/// What an unquoted scalar means: null, true, 4, 0.5 or text (YAML 1.1, and numbers such as 1e-3 too).
[[nodiscard]] nlohmann::json resolve_plain_scalar(const std::string& text);
[[nodiscard]] nlohmann::json to_json(const YamlNode& node);

}  // namespace calibench
