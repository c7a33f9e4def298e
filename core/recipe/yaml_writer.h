#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace calibench {

/// YAML of an object of objects, in the given key order. Small collections of scalars go on one line, as PyYAML writes them; texts are
/// quoted where a YAML 1.1 reader would take them for something else.
[[nodiscard]] std::string write_yaml(const nlohmann::ordered_json& object);

}  // namespace calibench
