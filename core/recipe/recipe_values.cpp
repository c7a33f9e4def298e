#include "core/recipe/recipe_values.h"

#include "core/recipe/diagnostics.h"
#include "core/recipe/front_matter.h"
#include "core/recipe/yaml_tree.h"

namespace calibench {

namespace {

nlohmann::ordered_json in_order(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::Sequence) {
        nlohmann::ordered_json list = nlohmann::ordered_json::array();
        for (const YamlNodePtr& item : node.items) list.push_back(in_order(*item));
        return list;
    }
    if (node.kind == YamlNode::Kind::Map) {
        nlohmann::ordered_json map = nlohmann::ordered_json::object();
        for (const YamlEntry& entry : node.entries) map[entry.key] = in_order(*entry.value);
        return map;
    }
    return nlohmann::ordered_json(to_json(node));
}

}  // namespace

nlohmann::ordered_json recipe_values(const std::string& text) {
    Diagnostics diagnostics;
    const YamlNodePtr root = parse_yaml(front_matter(text, diagnostics), diagnostics);
    return root ? in_order(*root) : nlohmann::ordered_json();
}

}  // namespace calibench
