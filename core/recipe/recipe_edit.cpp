#include "core/recipe/recipe_edit.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/yaml_edit.h"

namespace calibench {

namespace {

/// The place in a document, null where there is none. Numbers count items where a list is.
nlohmann::json* find_place(nlohmann::json& document, const RecipePath& path) {
    nlohmann::json* place = &document;
    for (const std::string& key : path) {
        if (place->is_array()) place = key.size() < 10 && std::stoul(key) < place->size() ? &place->at(std::stoul(key)) : nullptr;
        else place = place->is_object() && place->contains(key) ? &place->at(key) : nullptr;
        if (!place) return nullptr;
    }
    return place;
}

void set_place(nlohmann::json& document, const RecipePath& path, const nlohmann::json& value) {
    nlohmann::json* place = &document;
    for (const std::string& key : path) {
        const bool first_item = place->is_null() && key == "0";
        if (!place->is_array() && !first_item) place = &(*place)[key];
        else if (first_item || std::stoul(key) >= place->size()) place = &place->emplace_back();
        else place = &place->at(std::stoul(key));
    }
    *place = value;
}

/// Holds the new text against what it should mean, so that a change in the wrong place is refused and never silent.
void verify(const std::string& text, const nlohmann::json& expected) {
    nlohmann::json meaning;
    try {
        meaning = YamlSource(text).meaning();
    } catch (const InputError&) {
        meaning = nlohmann::json::value_t::discarded;
    }
    if (meaning != expected && meaning.dump() != expected.dump())  // NaN equals nothing, but looks the same
        throw InputError("this part of the recipe is written in a way that can only be changed by hand");
}

}  // namespace

std::string with_value(const std::string& text, const RecipePath& path, const nlohmann::ordered_json& value) {
    const YamlSource source(text);
    const std::vector<Splice> splices = YamlEditor(source).set(path, value);
    if (splices.empty()) return text;
    std::string changed = spliced(text, splices);
    nlohmann::json expected = source.meaning();
    set_place(expected, path, value);
    verify(changed, expected);
    return changed;
}

std::string without(const std::string& text, const RecipePath& path) {
    const YamlSource source(text);
    const std::vector<Splice> splices = YamlEditor(source).remove(path);
    if (splices.empty()) return text;
    std::string changed = spliced(text, splices);
    nlohmann::json expected = source.meaning();
    nlohmann::json* parent = find_place(expected, {path.begin(), path.end() - 1});
    if (parent && parent->is_object()) parent->erase(path.back());
    else if (parent && parent->is_array()) parent->erase(std::stoul(path.back()));
    verify(changed, expected);
    return changed;
}

std::string apply(const Fix& fix, const std::string& text) {
    if (fix.offset > text.size() || fix.length > text.size() - fix.offset)
        throw InputError("the recipe has changed since this fix was offered");
    std::string changed = text;
    return changed.replace(fix.offset, fix.length, fix.replacement);
}

}  // namespace calibench
