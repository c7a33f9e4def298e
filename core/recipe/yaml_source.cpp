#include "core/recipe/yaml_source.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>
#include <unordered_map>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/recipe/front_matter.h"
#include "core/recipe/yaml_tree.h"

namespace calibench {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kNowhere = std::string::npos;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// One of yaml-cpp's events, which tell where values start but not where they end.
struct Event {
    SourceNode::Kind kind = SourceNode::Kind::Null;
    size_t mark = 0;
    bool flow = false;
    std::string scalar;
    YAML::anchor_t anchor = 0;
    std::vector<Event> children;  ///< items; of a map, keys and values by turns
};

class EventReader : public YAML::EventHandler {
public:
    explicit EventReader(size_t shift) : shift_(shift) {}

    [[nodiscard]] const Event* root() const { return has_root_ ? &root_ : nullptr; }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(SourceNode::Kind::Null, mark, anchor)); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(SourceNode::Kind::Alias, mark, anchor)); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
        Event event = make(SourceNode::Kind::Scalar, mark, anchor);
        event.scalar = value;
        add(std::move(event));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value style) override {
        open(SourceNode::Kind::Sequence, mark, anchor, style);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value style) override {
        open(SourceNode::Kind::Map, mark, anchor, style);
    }
    void OnMapEnd() override { close(); }

private:
    [[nodiscard]] Event make(SourceNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) const {
        return {.kind = kind, .mark = size_t(std::max(0, mark.pos)) + shift_, .anchor = anchor};
    }

    void open(SourceNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
        open_.push_back(make(kind, mark, anchor));
        open_.back().flow = style == YAML::EmitterStyle::Flow;
    }

    void close() {
        Event done = std::move(open_.back());
        open_.pop_back();
        add(std::move(done));
    }

    void add(Event event) {
        if (!open_.empty()) {
            open_.back().children.push_back(std::move(event));
        } else {
            root_ = std::move(event);
            has_root_ = true;
        }
    }

    size_t shift_;
    Event root_;
    bool has_root_ = false;
    std::vector<Event> open_;
};

/// Finds where values end, walking the text along with the events.
class Measurer {
public:
    explicit Measurer(const std::string& text) : text_(text) {}

    SourceNode measure(const Event& event, size_t value_from) {
        SourceNode node{.kind = event.kind, .flow = event.flow, .scalar = event.scalar};
        node.begin = event.kind == SourceNode::Kind::Null ? null_begin(event, value_from) : skip_properties(event.mark);
        switch (event.kind) {
            case SourceNode::Kind::Null: node.end = word_end(node.begin, value_from); break;
            case SourceNode::Kind::Alias: measure_alias(event, node); break;
            case SourceNode::Kind::Scalar: node.end = scalar_end(node); break;
            case SourceNode::Kind::Sequence: measure_sequence(event, node); break;
            case SourceNode::Kind::Map: measure_map(event, node); break;
        }
        if (event.anchor && event.kind != SourceNode::Kind::Alias) anchors_.emplace_back(event.anchor, node.begin);
        return node;
    }

    void mark_repeated(SourceNode& node) const {
        for (const auto& [anchor, begin] : anchors_)
            if (begin == node.begin && repeated_.contains(anchor)) node.repeated = true;
        for (SourceEntry& entry : node.entries) mark_repeated(entry.value);
    }

private:
    [[nodiscard]] char at(size_t offset) const { return offset < text_.size() ? text_[offset] : '\0'; }

    [[noreturn]] void refuse(size_t offset) const {
        const auto line = std::count(text_.begin(), text_.begin() + std::ptrdiff_t(std::min(offset, text_.size())), '\n') + 1;
        throw InputError(concat("line ", line, " is written in a way that can only be changed by hand"));
    }

    /// Past white space and comments.
    [[nodiscard]] size_t skip_trivia(size_t offset) const {
        while (offset < text_.size()) {
            if (is_space(text_[offset])) ++offset;
            else if (text_[offset] == '#' && (offset == 0 || is_space(text_[offset - 1]))) offset = std::min(text_.find('\n', offset), text_.size());
            else break;
        }
        return offset;
    }

    /// Past tags and anchors, which stand before a value.
    [[nodiscard]] size_t skip_properties(size_t offset) const {
        while (at(offset) == '&' || at(offset) == '!') {
            while (offset < text_.size() && !is_space(text_[offset])) ++offset;
            offset = skip_trivia(offset);
        }
        return offset;
    }

    /// yaml-cpp puts an absent value at whatever follows it.
    [[nodiscard]] size_t null_begin(const Event& event, size_t value_from) const {
        const size_t begin = skip_properties(event.mark);
        return begin >= value_from && word_end(begin, begin) > begin ? begin : value_from;
    }

    /// The end of `null` or `~` at `begin`, or `begin`.
    [[nodiscard]] size_t word_end(size_t begin, size_t value_from) const {
        for (const std::string_view word : {"null", "Null", "NULL", "~"}) {
            if (text_.compare(begin, word.size(), word) != 0 || begin < value_from) continue;
            const char next = at(begin + word.size());
            if (next == '\0' || is_space(next) || next == ',' || next == ']' || next == '}') return begin + word.size();
        }
        return begin;
    }

    void measure_alias(const Event& event, SourceNode& node) {
        repeated_.insert(event.anchor);
        node.end = node.begin;
        while (node.end < text_.size() && !is_space(text_[node.end]) && std::string_view(",[]{}").find(text_[node.end]) == std::string_view::npos)
            ++node.end;
        node.scalar = text_.substr(node.begin, node.end - node.begin);
    }

    [[nodiscard]] size_t scalar_end(const SourceNode& node) const {
        const char first = at(node.begin);
        if (first == '"' || first == '\'') return quoted_end(node.begin, first);
        if (first == '|' || first == '>') return block_text_end(node.begin);
        // Plain text has no escapes: its value's letters stand in the text, with nothing but folded white space between them.
        size_t offset = node.begin, end = node.begin;
        for (const char c : node.scalar) {
            if (is_space(c)) continue;
            while (offset < text_.size() && is_space(text_[offset])) ++offset;
            if (at(offset) != c) refuse(node.begin);
            end = ++offset;
        }
        return end;
    }

    [[nodiscard]] size_t quoted_end(size_t begin, char quote) const {
        for (size_t i = begin + 1; i < text_.size(); ++i) {
            if (quote == '"' && text_[i] == '\\') ++i;
            else if (text_[i] != quote) continue;
            else if (quote == '\'' && at(i + 1) == quote) ++i;
            else return i + 1;
        }
        refuse(begin);
    }

    /// Of a text after '|' or '>': its lines are blank or indented as the first that is not.
    [[nodiscard]] size_t block_text_end(size_t begin) const {
        size_t end = std::min(text_.find('\n', begin), text_.size());
        size_t margin = kNowhere;
        for (size_t line = end + 1; line < text_.size();) {
            const size_t line_end = std::min(text_.find('\n', line), text_.size());
            const size_t content = text_.find_first_not_of(' ', line);
            const bool blank = content == kNowhere || content >= line_end || text_[content] == '\r';
            if (!blank) {
                if (margin == kNowhere) margin = content - line;
                if (content - line < margin || margin == 0) break;
                end = line_end;
            }
            line = line_end + 1;
        }
        return end;
    }

    void measure_sequence(const Event& event, SourceNode& node) {
        size_t cursor = event.flow ? node.begin + 1 : node.begin;
        for (const Event& child : event.children) {
            SourceEntry entry;
            if (event.flow) {
                entry.begin = entry.value_from = skip_trivia(cursor);
            } else {
                entry.begin = skip_trivia(cursor);
                if (at(entry.begin) != '-') refuse(entry.begin);
                entry.value_from = entry.begin + 1;
            }
            entry.key_end = entry.begin;
            entry.value = measure(child, entry.value_from);
            cursor = entry.end();
            if (event.flow && at(skip_trivia(cursor)) == ',') cursor = skip_trivia(cursor) + 1;
            node.entries.push_back(std::move(entry));
        }
        node.end = event.flow ? bracket_end(cursor, ']') : last_end(node);
    }

    void measure_map(const Event& event, SourceNode& node) {
        const bool braces = event.flow && at(node.begin) == '{';
        for (size_t i = 0; i + 1 < event.children.size(); i += 2) {
            const Event& key = event.children[i];
            if (key.kind != SourceNode::Kind::Scalar) refuse(key.mark);
            SourceEntry entry{.key = key.scalar, .begin = key.mark};
            entry.key_end = measure(key, key.mark).end;
            const size_t colon = skip_trivia(entry.key_end);
            entry.has_colon = at(colon) == ':';
            if (!entry.has_colon && !event.flow) refuse(key.mark);
            entry.value_from = entry.has_colon ? colon + 1 : entry.key_end;
            entry.value = measure(event.children[i + 1], entry.value_from);
            node.entries.push_back(std::move(entry));
        }
        node.end = braces ? bracket_end(node.entries.empty() ? node.begin + 1 : last_end(node), '}') : last_end(node);
    }

    [[nodiscard]] static size_t last_end(const SourceNode& node) { return node.entries.empty() ? node.begin : node.entries.back().end(); }

    [[nodiscard]] size_t bracket_end(size_t offset, char bracket) const {
        offset = skip_trivia(offset);
        if (at(offset) == ',') offset = skip_trivia(offset + 1);
        if (at(offset) != bracket) refuse(offset);
        return offset + 1;
    }

    const std::string& text_;
    std::vector<std::pair<YAML::anchor_t, size_t>> anchors_;
    std::set<YAML::anchor_t> repeated_;
};

}  // namespace

const SourceEntry* SourceNode::find(const std::string& key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const SourceEntry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &*found;
}

YamlSource::YamlSource(std::string text) : text_(std::move(text)) {
    Diagnostics diagnostics;
    std::string yaml = front_matter(text_, diagnostics);
    const YamlNodePtr tree = parse_yaml(yaml, diagnostics);
    if (!tree && diagnostics.has_errors()) throw InputError(to_string(diagnostics.take().front()));
    if (tree) meaning_ = to_json(*tree);

    const size_t first_break = text_.find('\n');
    newline_ = first_break != kNowhere && first_break > 0 && text_[first_break - 1] == '\r' ? "\r\n" : "\n";
    if (nlohmann::json::accept(yaml)) std::replace(yaml.begin(), yaml.end(), '\t', ' ');
    EventReader events(yaml.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    std::istringstream stream(yaml);
    try {
        YAML::Parser parser(stream);
        parser.HandleNextDocument(events);
    } catch (const YAML::Exception&) {
        throw InputError("this is not valid YAML");  // parse_yaml has read the same
    }
    if (!events.root()) return;
    Measurer measurer(yaml);
    root_ = measurer.measure(*events.root(), 0);
    measurer.mark_repeated(root_);
}

const nlohmann::json* YamlSource::find(const std::vector<std::string>& keys) const {
    const nlohmann::json* value = &meaning_;
    for (const std::string& key : keys) {
        if (!value->is_object() || !value->contains(key)) return nullptr;
        value = &value->at(key);
    }
    return value;
}

size_t YamlSource::line_begin(size_t offset) const {
    const size_t newline = offset == 0 ? kNowhere : text_.rfind('\n', offset - 1);
    if (newline != kNowhere) return newline + 1;
    return text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

size_t YamlSource::line_end(size_t offset) const {
    const size_t newline = text_.find('\n', offset);
    if (newline == kNowhere) return text_.size();
    return newline > 0 && text_[newline - 1] == '\r' ? newline - 1 : newline;
}

int YamlSource::line(size_t offset) const {
    return int(std::count(text_.begin(), text_.begin() + std::ptrdiff_t(std::min(offset, text_.size())), '\n')) + 1;
}

size_t offset_of(const std::string& text, int line, int column) {
    if (line < 1) return kNowhere;
    size_t begin = line == 1 && text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (int i = 1; i < line; ++i) {
        const size_t newline = text.find('\n', begin);
        if (newline == kNowhere) return kNowhere;
        begin = newline + 1;
    }
    const size_t offset = begin + size_t(std::max(0, column - 1));
    return offset <= text.size() ? offset : kNowhere;
}

}  // namespace calibench
