#include "core/recipe/scheme_reader.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/fields.h"
#include "core/recipe/fixes.h"

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

/// What one might have meant by a field's value, the likeliest first; null: nothing.
std::vector<nlohmann::json> values_meant(const std::string& key, const nlohmann::json& value) {
    static const std::map<std::string, std::vector<std::string>> words = {
        {"type", {"int", "float"}},
        {"strategy", {"tensor", "channel", "group", "block", "token", "tensor_group", "attn_head"}},
        {"actorder", {"weight", "static"}},
        {"scale_dtype", {"float32", "float16", "bfloat16", "float8_e4m3fn", "uint8"}},
        {"zp_dtype", {"int8", "uint8", "float8_e4m3fn"}}};
    std::vector<nlohmann::json> meant;
    if (const auto known = words.find(key); known != words.end()) {
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (const std::string nearest = closest_match(text, known->second); !nearest.empty()) meant.push_back(nearest);
        if (key == "actorder") meant.push_back("weight");
    } else if (key == "num_bits") {
        const bool few = value.is_number() && value.get<double>() < 6;
        meant = few ? std::vector<nlohmann::json>{4, 8} : std::vector<nlohmann::json>{8, 4};
    } else if (key == "group_size") {
        meant = {128, 64, 32, -1};
    } else if (key == "symmetric" || key == "dynamic") {
        meant = {true, false};
    }
    return meant;
}

/// Changes of one field each that may settle what core/quantization says of the fields together.
struct FieldChange {
    std::string key;
    nlohmann::json value;  ///< discarded: the field goes
};

const nlohmann::json kNoValue = nlohmann::json::value_t::discarded;

std::vector<FieldChange> likely_changes(const YamlEntry* meant, const nlohmann::json& object) {
    std::vector<FieldChange> changes;
    if (meant && object.contains(meant->key))
        for (const nlohmann::json& value : values_meant(meant->key, object.at(meant->key))) changes.push_back({meant->key, value});
    for (const auto& [key, value] : std::vector<FieldChange>{{"strategy", "group"}, {"group_size", 128}, {"dynamic", true}, {"strategy", "block"}})
        changes.push_back({key, value});
    for (const char* key : {"block_structure", "dynamic", "actorder", "group_size"})
        if (object.contains(key)) changes.push_back({key, kNoValue});
    const bool is_listed = std::any_of(changes.begin(), changes.end(), [&](const FieldChange& change) {
        return meant && change.key == meant->key && change.value.is_discarded();
    });
    if (meant && !is_listed) changes.push_back({meant->key, kNoValue});
    return changes;
}

/// Is this what the reader would still say?
bool is_said(const nlohmann::json& object, const std::string& message) {
    try {
        (void)quantization_args_from_json(object);
        return false;
    } catch (const InputError& error) {
        return error.what() == message;
    }
}

bool is_accepted(const nlohmann::json& object) {
    try {
        (void)quantization_args_from_json(object);
        return true;
    } catch (const InputError&) {
        return false;
    }
}

/// Offers the few changes of one field that make the arguments right, or settle this problem at least where there are others.
void offer_field_changes(const YamlEntry& entry, const YamlEntry* meant, const nlohmann::json& object, const std::string& message,
                         Diagnostics& diagnostics) {
    static const std::vector<std::string> fields = {"num_bits", "type",     "symmetric",   "group_size", "strategy", "block_structure",
                                                    "dynamic",  "actorder", "scale_dtype", "zp_dtype",   "observer", "observer_kwargs"};
    if (meant && std::find(fields.begin(), fields.end(), meant->key) == fields.end()) {
        const std::string nearest = closest_match(meant->key, fields);
        if (!nearest.empty())
            diagnostics.offer(concat("Change ", meant->key, " to ", nearest),
                              [&](const std::string& text) { return with_key_at(text, meant->where, nearest); });
        diagnostics.offer(concat("Remove ", meant->key), [&](const std::string& text) { return without_entry_at(text, meant->where); });
        return;
    }
    constexpr size_t kMostOffered = 3;
    size_t offered = 0;
    for (const bool all_right : {true, false}) {
        for (const auto& [key, value] : likely_changes(meant, object)) {
            nlohmann::json changed = object;
            if (value.is_discarded()) changed.erase(key);
            else changed[key] = value;
            if (offered == kMostOffered || changed == object || (all_right ? !is_accepted(changed) : is_said(changed, message))) continue;
            ++offered;
            if (value.is_discarded())
                diagnostics.offer(concat("Remove ", key), [&](const std::string& text) { return without_field_at(text, entry.where, key); });
            else
                diagnostics.offer(concat("Use ", key, " ", value.is_string() ? value.get<std::string>() : value.dump()),
                                  [&](const std::string& text) { return with_field_at(text, entry.where, key, value); });
        }
        if (offered > 0) return;
    }
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
            if (complete || about_one_field) {
                diagnostics.error(meant ? meant->where : entry.where, concat(owner, ": ", entry.key, ": ", message));
                offer_field_changes(entry, meant, object, message, diagnostics);
            }
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
    if (!map.find("targets")) {
        diagnostics.error(entry.where, concat(owner, " has no targets; add e.g. targets: [Linear]"));
        diagnostics.offer("Add targets: [Linear]", [&](const std::string& text) {
            return with_field_at(text, entry.where, "targets", nlohmann::ordered_json::array({"Linear"}));
        });
    }
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
    if (!nearest.empty())
        diagnostics.offer(concat("Use ", nearest), [&](const std::string& text) {  // a value, or a key of a dictionary
            const std::string changed = with_key_at(text, where, nearest);
            return changed != text ? changed : with_value_at(text, where, nearest);
        });
    return {};
}

}  // namespace calibench
