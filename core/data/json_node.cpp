#include "core/data/json_node.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/text_file.h"
#include "core/data/unicode.h"

namespace calibench {

namespace {

// No tokenizer nests deeper than a handful; readers recurse, so a hostile file must not choose how far.
constexpr int deepest_nesting = 32;

}  // namespace

nlohmann::json read_json_file(const std::string& file_name) {
    const std::string text = read_bytes(file_name);
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error& error) {
        const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
        const auto line = 1 + std::count(text.begin(), end, '\n');
        throw InputError(concat(file_name, " is not valid JSON: line ", line, " cannot be read."));
    } catch (const nlohmann::json::exception&) {
        throw InputError(concat(file_name, " is not valid JSON: it holds a number that is too large."));
    }
}

JsonNode::JsonNode(const nlohmann::json& value, const JsonNode& parent, std::string path)
    : value_(&value), file_name_(parent.file_name_), path_(std::move(path)), depth_(parent.depth_ + 1) {
    if (depth_ > deepest_nesting)
        fail("is nested too deeply.");
}

bool JsonNode::has(const char* key) const {
    if (!value_->is_object())
        fail("must be a JSON object.");
    const auto found = value_->find(key);
    return found != value_->end() && !found->is_null();
}

JsonNode JsonNode::at(const char* key) const {
    const std::string path = path_.empty() ? key : path_ + "." + key;
    if (!has(key))
        throw InputError(concat(*file_name_, ": ", path, " is missing."));
    return {*value_->find(key), *this, path};
}

std::vector<JsonNode> JsonNode::items() const {
    if (!value_->is_array())
        fail("must be a list.");
    std::vector<JsonNode> nodes;
    nodes.reserve(value_->size());
    for (const nlohmann::json& item : *value_)
        nodes.push_back({item, *this, path_ + "[" + std::to_string(nodes.size()) + "]"});
    return nodes;
}

std::string JsonNode::string() const {
    if (!value_->is_string())
        fail("must be a string.");
    return value_->get<std::string>();
}

bool JsonNode::boolean() const {
    if (!value_->is_boolean())
        fail("must be true or false.");
    return value_->get<bool>();
}

int64_t JsonNode::integer() const {
    constexpr uint64_t largest = INT32_MAX;
    if (!value_->is_number_unsigned() || value_->get<uint64_t>() > largest)
        fail("must be a whole number from 0 to 2147483647.");
    return value_->get<int64_t>();
}

char32_t JsonNode::character() const {
    const std::string text = string();
    if (text.empty() || code_point_at(text, 0).length != text.size())
        fail("must be a single character.");
    return code_point_at(text, 0).value;
}

std::string JsonNode::string_or(const char* key, std::string_view fallback) const {
    return has(key) ? at(key).string() : std::string(fallback);
}

bool JsonNode::boolean_or(const char* key, bool fallback) const { return has(key) ? at(key).boolean() : fallback; }

void JsonNode::fail(std::string_view complaint) const {
    throw InputError(concat(*file_name_, ": ", path_.empty() ? "the file" : path_, " ", complaint));
}

}  // namespace calibench
