#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace calibench {

/// Parses a whole file. Throws InputError naming it, with line and column when it is not JSON.
[[nodiscard]] nlohmann::json read_json_file(const std::string& file_name);

/// A place in a JSON file that knows its path, so that every complaint names the file and the key. It refers to the
/// document and to the file name: both must outlive it. All members throw InputError when the value is not as asked.
class JsonNode {
public:
    JsonNode(const nlohmann::json& value, const std::string& file_name) : value_(&value), file_name_(&file_name) {}

    [[nodiscard]] const nlohmann::json& value() const { return *value_; }
    [[nodiscard]] bool is_null() const { return value_->is_null(); }
    /// Present and not null.
    [[nodiscard]] bool has(const char* key) const;
    [[nodiscard]] JsonNode at(const char* key) const;
    [[nodiscard]] std::vector<JsonNode> items() const;

    [[nodiscard]] std::string string() const;
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] int64_t integer() const;  ///< not negative
    [[nodiscard]] char32_t character() const;  ///< a string of exactly one code point

    [[nodiscard]] std::string string_or(const char* key, std::string_view fallback) const;
    [[nodiscard]] bool boolean_or(const char* key, bool fallback) const;

    /// Throws InputError: "<file>: <path> <complaint>".
    [[noreturn]] void fail(std::string_view complaint) const;

private:
    JsonNode(const nlohmann::json& value, const JsonNode& parent, std::string path);

    const nlohmann::json* value_;
    const std::string* file_name_;
    std::string path_;
    int depth_ = 0;
};

}  // namespace calibench
