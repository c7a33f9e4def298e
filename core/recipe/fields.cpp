#include "core/recipe/fields.h"

#include <algorithm>
#include <cmath>

#include "core/base/text.h"
#include "core/recipe/fixes.h"

namespace calibench {

namespace {

/// A scalar's meaning; quoted numbers and flags count too, as pydantic converts them.
nlohmann::json lax_value(const YamlNode& node) {
    return node.kind == YamlNode::Kind::Scalar ? resolve_plain_scalar(node.scalar) : nlohmann::json();
}

std::optional<int64_t> as_integer(const YamlNode& node) {
    const nlohmann::json value = lax_value(node);
    if (value.is_number_integer()) return value.get<int64_t>();
    if (value.is_number_float()) {
        const double number = value.get<double>();
        if (number == std::floor(number) && std::abs(number) < 9e15) return int64_t(number);
    }
    return {};
}

std::optional<double> as_number(const YamlNode& node) {
    const nlohmann::json value = lax_value(node);
    if (!value.is_number() || !std::isfinite(value.get<double>())) return {};
    return value.get<double>();
}

std::optional<std::string> as_text(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::Scalar) return {};
    if (!node.quoted && !resolve_plain_scalar(node.scalar).is_string()) return {};
    return node.scalar;
}

void offer_quotes(const YamlNode& node, Diagnostics& diagnostics) {
    diagnostics.offer(concat("Put ", node.scalar, " in quotes"),
                      [&](const std::string& text) { return with_value_at(text, node.where, node.scalar); });
}

}  // namespace

std::string describe(const YamlNode& node) {
    switch (node.kind) {
        case YamlNode::Kind::Null: return "nothing";
        case YamlNode::Kind::Sequence: return "a list";
        case YamlNode::Kind::Map: return "a map";
        case YamlNode::Kind::Scalar: break;
    }
    return node.scalar.size() <= 60 ? "'" + node.scalar + "'" : "a text of " + std::to_string(node.scalar.size()) + " bytes";
}

SourcePosition value_position(const YamlEntry& entry) {
    return entry.value->kind == YamlNode::Kind::Null ? entry.where : entry.value->where;
}

void read_text_list(const YamlNode& list, const std::string& name, std::vector<std::string>& values,
                    std::vector<SourcePosition>& positions, Diagnostics& diagnostics) {
    for (const YamlNodePtr& item : list.items) {
        if (const auto text = as_text(*item)) {
            values.push_back(*text);
            positions.push_back(item->where);
        } else {
            diagnostics.error(item->where, concat(name, " must be a list of texts, but holds ", describe(*item),
                                                  item->kind == YamlNode::Kind::Scalar ? "; put it in quotes" : ""));
            if (item->kind == YamlNode::Kind::Scalar) offer_quotes(*item, diagnostics);
        }
    }
}

Fields::Fields(const YamlNode& map, std::string owner, Diagnostics& diagnostics)
    : map_(map), owner_(std::move(owner)), diagnostics_(diagnostics) {}

const YamlEntry* Fields::find(const std::string& name) {
    known_.push_back(name);
    return map_.find(name);
}

void Fields::wrong(const YamlEntry& entry, const std::string& wanted) {
    diagnostics_.error(value_position(entry), concat(entry.key, " must be ", wanted, ", not ", describe(*entry.value)));
}

void Fields::read(const std::string& name, int64_t& value, int64_t minimum) {
    const YamlEntry* entry = find(name);
    if (!entry) return;
    const auto integer = as_integer(*entry->value);
    if (integer && *integer >= minimum)
        value = *integer;
    else
        wrong(*entry, concat("a whole number of at least ", minimum));
}

void Fields::read(const std::string& name, double& value, double minimum) {
    const YamlEntry* entry = find(name);
    if (!entry) return;
    const auto number = as_number(*entry->value);
    if (number && *number >= minimum)
        value = *number;
    else
        wrong(*entry, concat("a number of at least ", minimum));
}

void Fields::read(const std::string& name, bool& value) {
    const YamlEntry* entry = find(name);
    if (!entry) return;
    const nlohmann::json flag = lax_value(*entry->value);
    if (flag.is_boolean())
        value = flag.get<bool>();
    else if (flag == 0 || flag == 1)
        value = flag == 1;
    else
        wrong(*entry, "true or false");
}

void Fields::read(const std::string& name, std::optional<int64_t>& value) {
    const YamlEntry* entry = find(name);
    if (!entry || entry->value->kind == YamlNode::Kind::Null) return;
    value = as_integer(*entry->value);
    if (!value) wrong(*entry, "a whole number");
}

void Fields::read(const std::string& name, std::optional<double>& value) {
    const YamlEntry* entry = find(name);
    if (!entry || entry->value->kind == YamlNode::Kind::Null) return;
    value = as_number(*entry->value);
    if (!value) wrong(*entry, "a number");
}

void Fields::read_positive(const std::string& name, std::optional<double>& value) {
    const YamlEntry* entry = find(name);
    if (!entry || entry->value->kind == YamlNode::Kind::Null) return;
    value = as_number(*entry->value);
    if (value && *value > 0) return;
    value.reset();
    wrong(*entry, "a number above 0");
}

void Fields::read(const std::string& name, std::optional<std::string>& value) {
    const YamlEntry* entry = find(name);
    if (!entry || entry->value->kind == YamlNode::Kind::Null) return;
    value = as_text(*entry->value);
    if (value) return;
    const bool is_scalar = entry->value->kind == YamlNode::Kind::Scalar;
    wrong(*entry, is_scalar ? "text (put it in quotes)" : "text");
    if (is_scalar) offer_quotes(*entry->value, diagnostics_);
}

void Fields::read(const std::string& name, std::vector<std::string>& values, std::vector<SourcePosition>& positions,
                  bool single_allowed) {
    const YamlEntry* entry = find(name);
    if (!entry) return;
    std::vector<std::string> texts;
    if (entry->value->kind == YamlNode::Kind::Sequence) {
        read_text_list(*entry->value, name, texts, positions, diagnostics_);
    } else if (const auto text = as_text(*entry->value); text && single_allowed) {
        texts.push_back(*text);
        positions.push_back(entry->value->where);
    } else {
        wrong(*entry, text ? concat("a list, [", *text, "]") : "a list of texts");
        if (text)
            diagnostics_.offer(concat("Change it to [", *text, "]"), [&](const std::string& whole) {
                return with_value_at(whole, entry->where, nlohmann::ordered_json::array({*text}));
            });
    }
    values = std::move(texts);
}

void Fields::finish(Diagnostic::Severity severity) {
    for (const YamlEntry& entry : map_.entries) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        const std::string nearest = closest_match(entry.key, known_);
        diagnostics_.add(severity, entry.where,
                         concat(owner_, " has no field '", entry.key, "' (extra inputs are not permitted)",
                                nearest.empty() ? concat("; it has ", list_names(known_, known_.size())) :
                                                  concat("; did you mean ", nearest, "?")));
        if (!nearest.empty())
            diagnostics_.offer(concat("Change ", entry.key, " to ", nearest),
                               [&](const std::string& text) { return with_key_at(text, entry.where, nearest); });
        diagnostics_.offer(concat("Remove ", entry.key), [&](const std::string& text) { return without_entry_at(text, entry.where); });
    }
}

}  // namespace calibench
