#include "core/recipe/scheme_reader.h"

#include <algorithm>
#include <cctype>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/fields.h"

namespace calibench {

namespace {

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

size_t find_word(const std::string& text, const std::string& word) {
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
        const bool starts = at == 0 || !is_word_char(text[at - 1]);
        const bool ends = at + word.size() == text.size() || !is_word_char(text[at + word.size()]);
        if (starts && ends) return at;
    }
    return std::string::npos;
}

/// The entry that core/quantization's message is about: the first of the map's keys that it mentions.
const YamlEntry* entry_meant(const YamlNode& map, const std::string& message) {
    const YamlEntry* meant = nullptr;
    size_t first = std::string::npos;
    for (const YamlEntry& entry : map.entries)
        if (const size_t at = find_word(message, entry.key); at < first) {
            first = at;
            meant = &entry;
        }
    return meant;
}

bool starts_with_key(const std::string& message, const YamlEntry& entry) { return message.rfind(entry.key + ": ", 0) == 0; }

}  // namespace

std::optional<QuantizationArgs> read_quantization_args(const YamlEntry& entry, const std::string& owner, Diagnostics& diagnostics) {
    const YamlNode& map = *entry.value;
    if (map.kind != YamlNode::Kind::Map) {
        diagnostics.error(value_position(entry), concat(owner, ": ", entry.key, " must be a map such as {num_bits: 4, group_size: 64}, not ",
                                                        describe(map)));
        return {};
    }
    // One field's error must not hide another's: drop the field and try again. Errors about the fields' combination count only
    // while all fields are there.
    nlohmann::json object = to_json(map);
    for (bool complete = true;; complete = false) {
        try {
            QuantizationArgs args = quantization_args_from_json(object);
            if (complete) return args;
            return {};
        } catch (const InputError& error) {
            const std::string message = error.what();
            const YamlEntry* meant = entry_meant(map, message);
            const bool about_one_field = meant && starts_with_key(message, *meant) && object.contains(meant->key);
            if (complete || about_one_field)
                diagnostics.error(meant ? meant->where : entry.where, concat(owner, ": ", entry.key, ": ", message));
            if (!about_one_field) return {};
            object.erase(meant->key);
        }
    }
}

std::optional<QuantizationScheme> read_config_group(const YamlEntry& entry, std::vector<SourcePosition>& target_positions,
                                                    Diagnostics& diagnostics) {
    const YamlNode& map = *entry.value;
    const std::string owner = concat("config group '", entry.key, "'");
    if (map.kind != YamlNode::Kind::Map) {
        const bool preset_form = map.kind == YamlNode::Kind::Sequence;
        diagnostics.error(value_position(entry), concat(owner, " must be a map with targets and weights, not ", describe(map),
                                                        preset_form ? "; a preset goes under `scheme`, not here" : ""));
        return {};
    }
    QuantizationScheme scheme;
    Fields fields(map, owner, diagnostics);
    if (!map.find("targets")) diagnostics.error(entry.where, concat(owner, " has no targets; add e.g. targets: [Linear]"));
    fields.read("targets", scheme.targets, target_positions, false);

    bool readable = true;
    for (auto [name, args] : {std::pair{"weights", &scheme.weights}, {"input_activations", &scheme.input_activations},
                              {"output_activations", &scheme.output_activations}}) {
        const YamlEntry* args_entry = fields.find(name);
        if (!args_entry || args_entry->value->kind == YamlNode::Kind::Null) continue;
        *args = read_quantization_args(*args_entry, owner, diagnostics);
        readable &= args->has_value();
    }
    std::optional<std::string> format;
    fields.read("format", format);
    fields.finish();
    if (!readable) return {};

    nlohmann::json object = to_json(scheme);
    if (format) object["format"] = *format;
    try {
        scheme.format = quantization_scheme_from_json(object).format;  // its checks; to_json leaves a symmetric zp_dtype out
        return scheme;
    } catch (const InputError& error) {
        const YamlEntry* meant = entry_meant(map, error.what());
        diagnostics.error(meant ? meant->where : entry.where, concat(owner, ": ", error.what()));
        return {};
    }
}

std::optional<QuantizationScheme> read_preset(const std::string& name, SourcePosition where, std::vector<std::string> targets,
                                              Diagnostics& diagnostics) {
    const std::vector<std::string> presets = preset_scheme_names();
    std::string upper = name;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return char(std::toupper(c)); });
    if (std::find(presets.begin(), presets.end(), upper) != presets.end()) return preset_scheme(name, std::move(targets));
    const std::string nearest = closest_match(upper, presets);
    diagnostics.error(where, concat("`scheme` must either be a preset scheme name or a dictionary of preset scheme names; '", name,
                                    "' is none of ", list_names(presets, presets.size()),
                                    nearest.empty() ? "" : concat("; did you mean ", nearest, "?")));
    return {};
}

}  // namespace calibench
