#include "core/recipe/yaml_edit.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

using Json = nlohmann::ordered_json;
using Path = std::vector<std::string>;

std::string place_name(const Path& path) {
    std::string name;
    for (const std::string& key : path) name += (name.empty() ? "" : "/") + key;
    return name;
}

std::optional<size_t> as_index(const std::string& text) {
    size_t index = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return {};
    return index;
}

Json object_of(const std::string& key, Json value) {
    Json object = Json::object();
    object[key] = std::move(value);
    return object;
}

bool means(const nlohmann::json* meaning, const Json& value) { return meaning && *meaning == nlohmann::json(value); }

bool is_blank_or_comments(const std::string& text) {
    bool comment = false;
    for (const char c : text) {
        if (c == '\n') comment = false;
        else if (c == '#') comment = true;
        else if (!comment && c != ' ' && c != '\t' && c != '\r') return false;
    }
    return true;
}

bool is_shared(const SourceNode& node) {
    return node.repeated || std::any_of(node.entries.begin(), node.entries.end(), [](const SourceEntry& entry) { return is_shared(entry.value); });
}

bool is_leaf(const SourceNode& node) {
    return std::none_of(node.entries.begin(), node.entries.end(), [](const SourceEntry& entry) { return entry.value.is_collection(); });
}

/// How maps and lists of scalars below a node are written, as far as `style` does not know yet.
void learn_style(const SourceNode& node, const std::string& text, YamlStyle& style) {
    if (node.is_collection() && !node.entries.empty() && is_leaf(node)) {
        auto& flow = node.kind == SourceNode::Kind::Map ? style.flow_maps : style.flow_lists;
        if (flow) return;
        flow = node.flow;
        if (node.kind == SourceNode::Kind::Sequence) style.list_quotes = text[node.entries.front().value.begin] == '"';
        return;
    }
    for (const SourceEntry& entry : node.entries) learn_style(entry.value, text, style);
}

/// The columns that nested maps and lists are indented by, from the first that there are.
void learn_indents(const YamlSource& source, const SourceNode& node, std::optional<size_t>& step, std::optional<size_t>& dash) {
    if (node.flow) return;
    for (const SourceEntry& entry : node.entries) {
        const SourceNode& value = entry.value;
        if (node.kind == SourceNode::Kind::Map && value.is_collection() && !value.flow && !value.entries.empty()) {
            const size_t outer = source.column(entry.begin), inner = source.column(value.entries.front().begin);
            auto& known = value.kind == SourceNode::Kind::Map ? step : dash;
            if (!known && inner >= outer) known = inner - outer;
        }
        learn_indents(source, value, step, dash);
    }
}

}  // namespace

std::string spliced(const std::string& text, std::vector<Splice> splices) {
    // From the back, so that offsets hold; at one place, what removes goes before what inserts.
    std::stable_sort(splices.begin(), splices.end(), [](const Splice& a, const Splice& b) {
        return a.offset != b.offset ? a.offset > b.offset : a.length > b.length;
    });
    std::string result = text;
    for (const Splice& splice : splices) result.replace(splice.offset, splice.length, splice.replacement);
    return result;
}

void YamlEditor::refuse(size_t offset, const std::string& why) const {
    throw InputError(concat("line ", source_.line(offset), ": ", why));
}

void YamlEditor::refuse_shared(const SourceNode& node) const {
    if (node.repeated) refuse(node.begin, "an alias repeats this value elsewhere, so a change here would change both; write one of them out first");
}

bool YamlEditor::is_first_on_line(size_t offset) const {
    const size_t begin = source_.line_begin(offset);
    return source_.text().find_first_not_of(" \t", begin) >= offset;
}

YamlEditor::Place YamlEditor::child(const Place& place, size_t index) {
    const SourceEntry& entry = place.node->entries[index];
    Place below{.parent = place.node, .entry = &entry, .node = &entry.value, .depth = place.depth + 1};
    const nlohmann::json* meaning = place.meaning;
    if (meaning && meaning->is_array() && index < meaning->size()) below.meaning = &meaning->at(index);
    else if (meaning && meaning->is_object() && meaning->contains(entry.key)) below.meaning = &meaning->at(entry.key);
    return below;
}

YamlEditor::Place YamlEditor::find(const Path& path) const {
    Place place{.node = &source_.root(), .meaning = &source_.meaning()};
    for (const std::string& key : path) {
        const SourceNode& node = *place.node;
        const nlohmann::json* meaning = place.meaning;
        if (node.kind == SourceNode::Kind::Alias)
            refuse(node.begin, concat(node.scalar, " stands for a value written elsewhere; write it out here before changing it"));
        refuse_shared(node);
        const SourceEntry* next = nullptr;
        if (node.kind == SourceNode::Kind::Map) {
            next = node.find(key);
            const bool merged = !next && meaning && meaning->is_object() && meaning->contains(key);
            if (merged && meaning->at(key).is_structured())
                refuse(node.begin, concat("'", key, "' comes from a merge key (<<); write it out here before changing it"));
        } else if (node.kind == SourceNode::Kind::Sequence) {
            const auto index = as_index(key);
            if (!index || *index > node.entries.size()) refuse(node.begin, concat("the list here has no item '", key, "'"));
            if (*index < node.entries.size()) next = &node.entries[*index];
        }
        if (!next) break;
        place = child(place, size_t(next - node.entries.data()));
    }
    return place;
}

std::vector<Splice> YamlEditor::set(const Path& path, const Json& value) const {
    const Place place = find(path);
    if (place.depth == path.size()) return assign(place, value);
    Json nested = value;
    for (size_t i = path.size(); i-- > place.depth + 1;) nested = object_of(path[i], std::move(nested));
    const std::string& key = path[place.depth];
    const SourceNode& node = *place.node;
    if (node.kind == SourceNode::Kind::Scalar)
        refuse(node.begin, concat("'", node.scalar, "' stands where ", place_name(path), " needs a map"));
    if (node.kind == SourceNode::Kind::Sequence || (node.kind == SourceNode::Kind::Null && as_index(key) == size_t(0))) {
        const Json items = Json::array({nested});
        return node.entries.empty() ? replace_value(place, items) : insert(place, node.entries.size(), items);
    }
    const Json entries = object_of(key, std::move(nested));
    return node.entries.empty() ? replace_value(place, entries) : insert(place, node.entries.size(), entries);
}

std::vector<Splice> YamlEditor::remove(const Path& path) const {
    const Place place = find(path);
    if (path.empty() || place.depth < path.size()) return {};
    const Place parent = find({path.begin(), path.end() - 1});
    const auto index = size_t(place.entry - parent.node->entries.data());
    return remove_entries(parent, index, index + 1);
}

std::vector<Splice> YamlEditor::rename(const Path& path, const std::string& key) const {
    const Place place = find(path);
    if (path.empty() || place.depth < path.size() || place.parent->kind != SourceNode::Kind::Map) return {};
    const size_t begin = place.entry->begin;
    const char first = source_.text()[begin];
    return {{begin, place.entry->key_end - begin, write_yaml_text(key, first == '"' || first == '\'' ? first : '\0')}};
}

std::vector<Splice> YamlEditor::remove_at(size_t offset) const {
    Place place{.node = &source_.root(), .meaning = &source_.meaning()};
    for (;;) {
        const auto& entries = place.node->entries;
        const auto holder = std::find_if(entries.begin(), entries.end(), [&](const SourceEntry& entry) {
            return entry.begin <= offset && offset < std::max(entry.end(), entry.key_end);
        });
        if (holder == entries.end()) return {};
        const bool list_item = place.node->kind == SourceNode::Kind::Sequence;
        if (holder->begin == offset || (list_item && holder->value.begin == offset)) {
            const auto index = size_t(holder - entries.begin());
            return remove_entries(place, index, index + 1);
        }
        place = child(place, size_t(holder - entries.begin()));
    }
}

std::optional<Path> YamlEditor::path_at(size_t offset) const {
    Path path;
    for (const SourceNode* node = &source_.root();;) {
        const auto holder = std::find_if(node->entries.begin(), node->entries.end(), [&](const SourceEntry& entry) {
            return entry.begin <= offset && offset < std::max(entry.end(), entry.key_end);
        });
        if (holder == node->entries.end()) return {};
        const bool list_item = node->kind == SourceNode::Kind::Sequence;
        path.push_back(list_item ? std::to_string(holder - node->entries.begin()) : holder->key);
        // A block map starts where its first key does: the deepest entry is meant.
        const bool is_key = holder->begin == offset && !list_item;
        const bool is_value = holder->value.begin == offset && (holder->value.flow || !holder->value.is_collection());
        if (is_key || is_value) return path;
        node = &holder->value;
    }
}

// Changes of one value -------------------------------------------------------------------------------------------------------

std::vector<Splice> YamlEditor::assign(const Place& place, const Json& value) const {
    const SourceNode& node = *place.node;
    refuse_shared(node);
    if (means(place.meaning, value)) return {};
    const bool grows = !node.entries.empty() && !value.empty();
    if (grows && node.kind == SourceNode::Kind::Map && value.is_object()) return assign_map(place, value);
    if (grows && node.kind == SourceNode::Kind::Sequence && value.is_array()) return assign_list(place, value);
    return replace_value(place, value);
}

std::vector<Splice> YamlEditor::assign_map(const Place& place, const Json& value) const {
    const auto& entries = place.node->entries;
    std::vector<Splice> splices;
    const auto add = [&](std::vector<Splice> more) { splices.insert(splices.end(), more.begin(), more.end()); };
    size_t last_kept = entries.size();
    for (size_t i = 0; i < entries.size();) {
        size_t run = i;
        while (run < entries.size() && !value.contains(entries[run].key)) ++run;
        if (run > i) {
            if (run - i == entries.size()) return replace_value(place, value);
            add(remove_entries(place, i, run));
            i = run;
        } else {
            add(assign(child(place, i), value.at(entries[i].key)));
            last_kept = i++;
        }
    }
    Json fresh = Json::object();
    for (const auto& [key, child] : value.items())
        if (!place.node->find(key)) fresh[key] = child;
    if (!fresh.empty()) add(insert(place, last_kept + 1, fresh));
    return splices;
}

std::vector<Splice> YamlEditor::assign_list(const Place& place, const Json& value) const {
    const auto& entries = place.node->entries;
    const size_t old_size = entries.size(), new_size = value.size();
    const auto same = [&](size_t i, size_t k) {
        return means(child(place, i).meaning, value[k]);
    };
    size_t head = 0, tail = 0;
    while (head < std::min(old_size, new_size) && same(head, head)) ++head;
    while (tail < std::min(old_size, new_size) - head && same(old_size - 1 - tail, new_size - 1 - tail)) ++tail;

    std::vector<Splice> splices;
    const auto add = [&](std::vector<Splice> more) { splices.insert(splices.end(), more.begin(), more.end()); };
    const size_t in_place = std::min(old_size, new_size) - head - tail;
    for (size_t i = head; i < head + in_place; ++i) add(assign(child(place, i), value[i]));
    if (old_size > new_size) add(remove_entries(place, head + in_place, old_size - tail));
    Json fresh = Json::array();
    for (size_t i = head + in_place; i < new_size - tail; ++i) fresh.push_back(value[i]);
    if (!fresh.empty()) add(insert(place, head + in_place, fresh));
    return splices;
}

std::vector<Splice> YamlEditor::replace_value(const Place& place, const Json& value) const {
    const SourceNode& node = *place.node;
    if (is_shared(node)) refuse(node.begin, "an alias repeats a part of this value elsewhere; write it out there first");
    const std::string& text = source_.text();
    const YamlStyle style = style_for(place.parent ? *place.parent : node);
    const auto block_at = [&](size_t column) {
        std::string lines = write_yaml_block(value, column, style);
        return lines.substr(0, lines.size() - style.newline.size());
    };
    if (!place.parent) {
        const bool absent = node.begin == node.end;
        if (absent && !is_blank_or_comments(text)) refuse(0, "there is no place for a value in this text");
        const std::string whole = value.empty() || style.json ? write_yaml_inline(value, style) : block_at(0);
        if (!absent) return {{node.begin, node.end - node.begin, whole}};
        const bool needs_break = !text.empty() && text.back() != '\n';
        return {{text.size(), 0, (needs_break ? style.newline : "") + whole + style.newline}};
    }

    const SourceEntry& entry = *place.entry;
    const bool is_block = node.is_collection() && !node.flow;
    const bool same_line = !is_block || source_.line_begin(node.begin) == source_.line_begin(entry.value_from);
    const size_t value_line_end = source_.line_end(is_block && !same_line ? entry.value_from : node.end);
    const size_t column = source_.column(entry.begin);
    const bool list_item = place.parent->kind == SourceNode::Kind::Sequence;
    if (place.parent->flow || list_item || fits_line(value, column + entry.key_end - entry.begin + 1, style)) {
        const char first = node.kind == SourceNode::Kind::Scalar && node.begin < text.size() ? text[node.begin] : '\0';
        const bool keep_quotes = value.is_string() && (first == '"' || first == '\'');
        const std::string written = keep_quotes ? write_yaml_text(value.get<std::string>(), first) : write_yaml_inline(value, style);
        if (is_block && !same_line)
            return {{entry.value_from, 0, " " + written}, {value_line_end, source_.line_end(node.end) - value_line_end, ""}};
        if (node.begin < node.end) return {{node.begin, node.end - node.begin, written}};
        if (!entry.has_colon && !list_item) refuse(entry.begin, concat("'", entry.key, "' has no ':' to put a value behind"));
        return {{entry.value_from, 0, " " + written}};
    }
    const std::string block = style.newline + block_at(column + (value.is_array() ? style.dash_indent : style.step));
    if (is_block && same_line) refuse(node.begin, "this value starts on its key's line and can only be changed by hand");
    if (is_block) return {{value_line_end, source_.line_end(node.end) - value_line_end, block}};
    std::vector<Splice> splices = {{value_line_end, 0, block}};
    if (node.end > entry.value_from) splices.push_back({entry.value_from, node.end - entry.value_from, ""});
    return splices;
}

// Entries of a map or a list -------------------------------------------------------------------------------------------------

std::vector<Splice> YamlEditor::insert(const Place& place, size_t index, const Json& entries) const {
    const SourceNode& node = *place.node;
    refuse_shared(node);
    const YamlStyle style = style_for(node);
    if (node.flow) return {insert_in_brackets(node, index, entries, style)};
    const size_t column = source_.column(node.entries.front().begin);
    const std::string lines = write_yaml_block(entries, column, style);
    if (index == 0) return {{node.entries.front().begin, 0, lines.substr(column) + std::string(column, ' ')}};
    return {{source_.line_end(node.entries[index - 1].end()), 0, style.newline + lines.substr(0, lines.size() - style.newline.size())}};
}

Splice YamlEditor::insert_in_brackets(const SourceNode& node, size_t index, const Json& entries, const YamlStyle& style) const {
    const SourceEntry& neighbour = node.entries[index > 0 ? index - 1 : 0];
    std::string separator = ", ";
    if (is_first_on_line(neighbour.begin)) {
        const size_t begin = source_.line_begin(neighbour.begin);
        separator = "," + style.newline + source_.text().substr(begin, neighbour.begin - begin);
    }
    std::string items;
    for (const auto& [key, child] : entries.items()) {
        const std::string bracketed = write_yaml_inline(entries.is_object() ? object_of(key, child) : Json::array({child}), style);
        const std::string item = bracketed.substr(1, bracketed.size() - 2);
        items += index > 0 ? separator + item : item + separator;
    }
    return {index > 0 ? neighbour.end() : neighbour.begin, 0, items};
}

std::vector<Splice> YamlEditor::remove_entries(const Place& place, size_t first, size_t last) const {
    const SourceNode& node = *place.node;
    const auto& entries = node.entries;
    refuse_shared(node);
    for (size_t i = first; i < last; ++i)
        if (is_shared(entries[i].value)) refuse(entries[i].begin, "an alias repeats this value elsewhere; write it out there before removing it");
    if (last - first == entries.size())
        return replace_value(place, node.kind == SourceNode::Kind::Map ? Json::object() : Json::array());
    if (!node.flow) return {remove_lines(node, first, last)};
    if (last < entries.size()) return {{entries[first].begin, entries[last].begin - entries[first].begin, ""}};
    size_t begin = entries[first - 1].end();
    // A comment on the line of the item before stays, and so does the comma before it.
    if (source_.text().substr(begin, entries[first].begin - begin).find('#') != std::string::npos)
        begin = source_.line_end(source_.line_begin(entries[first].begin) - 1);
    return {{begin, entries[last - 1].end() - begin, ""}};
}

Splice YamlEditor::remove_lines(const SourceNode& node, size_t first, size_t last) const {
    const std::string& text = source_.text();
    const size_t entry_begin = node.entries[first].begin;
    if (!is_first_on_line(entry_begin)) return {entry_begin, node.entries[last].begin - entry_begin, ""};
    size_t begin = source_.line_begin(entry_begin);
    const size_t column = entry_begin - begin;
    const size_t floor = first > 0 ? source_.line_end(node.entries[first - 1].end()) : source_.line_begin(0);
    while (begin > floor) {  // its own comments: right on top of it, in its column
        const size_t above = source_.line_begin(begin - 1);
        if (above < floor || text.find_first_not_of(' ', above) != above + column || text[above + column] != '#') break;
        begin = above;
    }
    size_t end = source_.line_end(node.entries[last - 1].end());
    if (end < text.size()) end = text.find('\n', end) + 1;
    else if (begin > 0) begin = source_.line_end(source_.line_begin(begin - 1));  // the text's last line has no newline, before and after
    return {begin, end - begin, ""};
}

YamlStyle YamlEditor::style_for(const SourceNode& parent) const {
    YamlStyle style{.flow = parent.flow, .newline = source_.newline()};
    style.json = nlohmann::json::accept(source_.text());
    for (auto sibling = parent.entries.rbegin(); sibling != parent.entries.rend(); ++sibling) {
        if (sibling->value.kind == SourceNode::Kind::Map && sibling->value.flow && !is_leaf(sibling->value)) style.flow = true;
        learn_style(sibling->value, source_.text(), style);
    }
    if (parent.kind == SourceNode::Kind::Sequence) learn_style(parent, source_.text(), style);
    for (const SourceEntry& entry : source_.root().entries) learn_style(entry.value, source_.text(), style);
    std::optional<size_t> step, dash;
    learn_indents(source_, source_.root(), step, dash);
    style.step = std::max<size_t>(1, step.value_or(2));
    style.dash_indent = dash.value_or(style.step);
    return style;
}

}  // namespace calibench
