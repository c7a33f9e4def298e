#include "core/recipe/fixes.h"

#include "core/recipe/recipe_edit.h"
#include "core/recipe/yaml_edit.h"

namespace calibench {

namespace {

std::optional<RecipePath> path_at(const YamlSource& source, SourcePosition where) {
    if (where.column < 1) return {};
    const size_t offset = offset_of(source.text(), where.line, where.column);
    return offset == std::string::npos ? std::nullopt : YamlEditor(source).path_at(offset);
}

const nlohmann::json* find_parent(const YamlSource& source, const RecipePath& path) { return source.find({path.begin(), path.end() - 1}); }

}  // namespace

std::string with_value_at(const std::string& text, SourcePosition where, const nlohmann::ordered_json& value) {
    const auto path = path_at(YamlSource(text), where);
    return path ? with_value(text, *path, value) : text;
}

std::string with_field_at(const std::string& text, SourcePosition where, const std::string& field, const nlohmann::ordered_json& value) {
    auto path = path_at(YamlSource(text), where);
    if (!path) return text;
    path->push_back(field);
    return with_value(text, *path, value);
}

std::string without_field_at(const std::string& text, SourcePosition where, const std::string& field) {
    auto path = path_at(YamlSource(text), where);
    if (!path) return text;
    path->push_back(field);
    return without(text, *path);
}

std::string without_entry_at(const std::string& text, SourcePosition where) {
    const YamlSource source(text);
    const size_t offset = where.column < 1 ? std::string::npos : offset_of(text, where.line, where.column);
    return offset == std::string::npos ? text : spliced(text, YamlEditor(source).remove_at(offset));
}

std::string without_item_at(const std::string& text, SourcePosition where) {
    const YamlSource source(text);
    const auto path = path_at(source, where);
    if (!path) return text;
    const nlohmann::json* parent = find_parent(source, *path);
    return parent && parent->is_array() ? without(text, *path) : text;
}

std::string with_key_at(const std::string& text, SourcePosition where, const std::string& key) {
    const YamlSource source(text);
    const auto path = path_at(source, where);
    if (!path) return text;
    const nlohmann::json* parent = find_parent(source, *path);
    if (!parent || !parent->is_object() || parent->contains(key)) return text;
    const std::vector<Splice> splices = YamlEditor(source).rename(*path, key);
    const bool is_key = splices.size() == 1 && splices[0].offset == offset_of(text, where.line, where.column);
    return is_key ? spliced(text, splices) : text;
}

std::string wrapped_at(const std::string& text, SourcePosition where, const std::string& outer, const std::string& key) {
    const YamlSource source(text);
    const SourceNode& root = source.root();
    const size_t offset = offset_of(text, where.line, where.column);
    if (root.flow || root.find(outer)) return text;
    for (const SourceEntry& entry : root.entries) {
        if (entry.begin != offset || source.column(entry.begin) != 0) continue;
        const std::string margin = "  ";
        std::string inner = margin + key + text.substr(entry.key_end, source.line_end(entry.end()) - entry.key_end);
        for (size_t at = inner.find('\n'); at != std::string::npos; at = inner.find('\n', at + 1))
            if (at + 1 < inner.size() && inner[at + 1] != '\n' && inner[at + 1] != '\r') inner.insert(at + 1, margin);
        return spliced(text, {{entry.begin, source.line_end(entry.end()) - entry.begin, outer + ":" + source.newline() + inner}});
    }
    return text;
}

}  // namespace calibench
