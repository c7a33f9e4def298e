#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/recipe/yaml_source.h"
#include "core/recipe/yaml_writer.h"

namespace calibench {

/// A change of a text: replaces `length` bytes at `offset`.
struct Splice {
    size_t offset = 0;
    size_t length = 0;
    std::string replacement;
};

/// Works out what to splice into a YAML text so that it says something else and looks as before. Places are paths of keys and list
/// numbers from the top. Throws InputError for a place that cannot be changed without changing another, or not at all.
class YamlEditor {
public:
    explicit YamlEditor(const YamlSource& source) : source_(source) {}

    /// Sets one value. Maps and lists are changed where they differ. Several splices never overlap.
    [[nodiscard]] std::vector<Splice> set(const std::vector<std::string>& path, const nlohmann::ordered_json& value) const;
    /// Removes one entry with the comment lines on top of it; nothing when there is none.
    [[nodiscard]] std::vector<Splice> remove(const std::vector<std::string>& path) const;
    /// Gives an entry another key; its value stays.
    [[nodiscard]] std::vector<Splice> rename(const std::vector<std::string>& path, const std::string& key) const;
    /// Removes the entry whose key, or the list item whose value, starts at `offset`; nothing when nothing starts there.
    [[nodiscard]] std::vector<Splice> remove_at(size_t offset) const;
    /// The path of the entry whose key or value starts at `offset`, if one does.
    [[nodiscard]] std::optional<std::vector<std::string>> path_at(size_t offset) const;

private:
    using Json = nlohmann::ordered_json;

    /// One value and the entry that holds it; both null for the whole document.
    struct Place {
        const SourceNode* parent = nullptr;
        const SourceEntry* entry = nullptr;
        const SourceNode* node = nullptr;
        const nlohmann::json* meaning = nullptr;  ///< of the node; null where a merge or a doubled key hides it
        size_t depth = 0;                         ///< keys of the path that exist
    };

    [[nodiscard]] Place find(const std::vector<std::string>& path) const;
    [[nodiscard]] static Place child(const Place& place, size_t index);
    [[noreturn]] void refuse(size_t offset, const std::string& why) const;
    void refuse_shared(const SourceNode& node) const;

    [[nodiscard]] std::vector<Splice> assign(const Place& place, const Json& value) const;
    [[nodiscard]] std::vector<Splice> assign_map(const Place& place, const Json& value) const;
    [[nodiscard]] std::vector<Splice> assign_list(const Place& place, const Json& value) const;
    [[nodiscard]] std::vector<Splice> replace_value(const Place& place, const Json& value) const;
    [[nodiscard]] std::vector<Splice> insert(const Place& place, size_t index, const Json& entries) const;
    [[nodiscard]] Splice insert_in_brackets(const SourceNode& node, size_t index, const Json& entries, const YamlStyle& style) const;
    [[nodiscard]] std::vector<Splice> remove_entries(const Place& place, size_t first, size_t last) const;
    [[nodiscard]] Splice remove_lines(const SourceNode& node, size_t first, size_t last) const;
    [[nodiscard]] YamlStyle style_for(const SourceNode& parent) const;
    [[nodiscard]] bool is_first_on_line(size_t offset) const;

    const YamlSource& source_;
};

/// The text with the splices made.
[[nodiscard]] std::string spliced(const std::string& text, std::vector<Splice> splices);

}  // namespace calibench
