#include "core/recipe/yaml_tree.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "core/base/text.h"
#include "core/recipe/fixes.h"

namespace calibench {

namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxValues = 200'000;  // an ignore list with every expert of a large model fits

/// Stops the parser: nothing after this place can be trusted.
struct Unreadable : std::runtime_error {
    Unreadable(SourcePosition position, const std::string& message) : std::runtime_error(message), where(position) {}
    SourcePosition where;
};

SourcePosition position_of(const YAML::Mark& mark) {
    if (mark.is_null()) return {};
    return {mark.line + 1, mark.column + 1};
}

/// Builds the tree from yaml-cpp's events. YAML::Node would lose duplicate keys and write aliases out.
class TreeBuilder : public YAML::EventHandler {
public:
    explicit TreeBuilder(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    [[nodiscard]] YamlNodePtr root() const { return root_; }
    /// Where the last quoted text starts; line 0 when there was none.
    [[nodiscard]] SourcePosition last_quote() const { return last_quote_; }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (root_) throw Unreadable(position_of(mark), "a second YAML document starts here; a recipe is a single one");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        add(make_node(YamlNode::Kind::Null, mark), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) throw Unreadable(position_of(mark), "this alias lies within the value that it stands for");
        attach(found->second);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        auto node = make_node(YamlNode::Kind::Scalar, mark);
        node->scalar = value;
        node->quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
        check_tag(tag, mark);
        if (tag == "!") last_quote_ = node->where;
        add(std::move(node), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(YamlNode::Kind::Sequence, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(YamlNode::Kind::Map, mark, tag, anchor);
    }
    void OnMapEnd() override {
        finish_map(open_.back());
        close();
    }

private:
    struct OpenNode {
        std::shared_ptr<YamlNode> node;
        YAML::anchor_t anchor;
        YamlNodePtr key;                  ///< of a map: read, its value still to come
        std::vector<YamlNodePtr> merged;  ///< of a map: what `<<` names
    };

    static std::shared_ptr<YamlNode> make_node(YamlNode::Kind kind, const YAML::Mark& mark) {
        auto node = std::make_shared<YamlNode>();
        node->kind = kind;
        node->where = position_of(mark);
        return node;
    }

    void check_tag(const std::string& tag, const YAML::Mark& mark) {
        const bool plain = tag.empty() || tag == "?" || tag == "!" || tag.rfind("tag:yaml.org,2002:", 0) == 0;
        if (!plain || tag.find("python") != std::string::npos)
            diagnostics_.error(position_of(mark), concat("the tag '", tag, "' has no meaning in a recipe; remove it"));
    }

    void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (open_.size() >= kMaxDepth)
            throw Unreadable(position_of(mark), concat("values are nested deeper than ", kMaxDepth, " levels"));
        check_tag(tag, mark);
        open_.push_back({make_node(kind, mark), anchor, nullptr, {}});
    }

    void close() {
        OpenNode done = std::move(open_.back());
        open_.pop_back();
        add(std::move(done.node), done.anchor);
    }

    void add(YamlNodePtr node, YAML::anchor_t anchor) {
        if (anchor) anchors_[anchor] = node;
        attach(std::move(node));
    }

    void attach(YamlNodePtr value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return;
        }
        OpenNode& parent = open_.back();
        parent.node->num_values += value->num_values;
        if (parent.node->num_values > kMaxValues)
            throw Unreadable(value->where, concat("the recipe has more than ", kMaxValues, " values, aliases written out"));
        if (parent.node->kind == YamlNode::Kind::Sequence)
            parent.node->items.push_back(std::move(value));
        else if (!parent.key)
            parent.key = std::move(value);
        else
            add_entry(parent, std::exchange(parent.key, nullptr), std::move(value));
    }

    void add_entry(OpenNode& map, const YamlNodePtr& key, YamlNodePtr value) {
        if (key->kind != YamlNode::Kind::Scalar) {
            diagnostics_.error(key->where, "a key must be plain text");
        } else if (key->scalar == "<<" && !key->quoted) {
            if (value->kind == YamlNode::Kind::Sequence)
                map.merged.insert(map.merged.end(), value->items.begin(), value->items.end());
            else
                map.merged.push_back(std::move(value));
        } else {
            map.node->entries.push_back({key->scalar, key->where, std::move(value)});
        }
    }

    void finish_map(OpenNode& map) {
        std::unordered_map<std::string, SourcePosition> first_seen;
        std::vector<YamlEntry> unique;
        for (YamlEntry& entry : map.node->entries) {
            const auto [seen, is_new] = first_seen.emplace(entry.key, entry.where);
            if (is_new) {
                unique.push_back(std::move(entry));
                continue;
            }
            diagnostics_.error(entry.where, concat("'", entry.key, "' stands here a second time (first on line ",
                                                   seen->second.line, "), and YAML would keep only one of them"));
            diagnostics_.offer(concat("Remove the second ", entry.key),
                               [&](const std::string& text) { return without_entry_at(text, entry.where); });
        }
        for (const YamlNodePtr& source : map.merged) {
            if (source->kind != YamlNode::Kind::Map)
                diagnostics_.error(source->where, "'<<' can merge maps only");
            for (const YamlEntry& entry : source->entries)
                if (first_seen.emplace(entry.key, entry.where).second) unique.push_back(entry);
        }
        map.node->entries = std::move(unique);
    }

    Diagnostics& diagnostics_;
    YamlNodePtr root_;
    SourcePosition last_quote_;
    std::vector<OpenNode> open_;
    std::unordered_map<YAML::anchor_t, YamlNodePtr> anchors_;
};

/// yaml-cpp's terse texts in words that say what to do.
std::string explain(const std::string& message) {
    namespace msg = YAML::ErrorMsg;
    static const std::map<std::string, std::string> sentences = {
        {msg::END_OF_MAP, "this line does not fit the indentation above it, or lacks a ':'"},
        {msg::END_OF_MAP_FLOW, "a '{' is not closed by '}', or a ',' is missing"},
        {msg::END_OF_SEQ, "a list item is expected here: '- ' at the indentation of the others"},
        {msg::END_OF_SEQ_FLOW, "a '[' is not closed by ']', or a ',' is missing"},
        {msg::FLOW_END, "this bracket closes nothing"},
        {msg::TAB_IN_INDENTATION, "indent with spaces; YAML takes no tabs there"},
        {msg::BLOCK_ENTRY, "a list cannot start here; put its first '- ' on a line of its own"},
        {msg::MAP_KEY, "a key cannot stand here; check the indentation"},
        {msg::MAP_VALUE, "a ':' cannot stand here; quote the text if it belongs to it"},
        {msg::EOF_IN_SCALAR, "a quote is opened but not closed"},
        {msg::DOC_IN_SCALAR, "a quote is opened but not closed"},
        {msg::INVALID_ESCAPE, "a '\\' in double quotes starts an escape that YAML lacks; write patterns in single quotes"},
        {msg::UNKNOWN_ANCHOR, "this alias names an anchor that is not defined above it"},
        {msg::ALIAS_NOT_FOUND, "a '*' starts an alias; quote the text if it is a pattern"},
        {msg::CHAR_IN_ALIAS, "a '*' starts an alias; quote the text if it is a pattern"},
        {msg::ANCHOR_NOT_FOUND, "a '&' starts an anchor; quote the text if it belongs to it"},
        {msg::CHAR_IN_ANCHOR, "a '&' starts an anchor; quote the text if it belongs to it"},
        {msg::UNKNOWN_TOKEN, "this character cannot start a value; put the text in quotes"},
    };
    for (const auto& [theirs, ours] : sentences)
        if (message.rfind(theirs, 0) == 0) return ours;
    return "this is not valid YAML";
}

/// The byte at which `text` stops being UTF-8, or npos.
size_t first_bad_utf8(const std::string& text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
        if (length == 0 || i + length > text.size()) return i;
        uint32_t code = length == 1 ? lead : lead & (0x7f >> length);
        for (size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if (next >> 6 != 2) return i;
            code = code << 6 | (next & 0x3f);
        }
        static constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return i;
        i += length;
    }
    return std::string::npos;
}

SourcePosition position_of_byte(const std::string& text, size_t offset) {
    const auto line = std::count(text.begin(), text.begin() + std::ptrdiff_t(offset), '\n');
    const size_t line_start = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
    return {int(line) + 1, int(offset - (line_start == std::string::npos ? 0 : line_start + 1)) + 1};
}

/// The line from `where` on, and all that follows it.
std::string_view text_from(const std::string& text, SourcePosition where) {
    std::string_view rest = text;
    for (int line = 1; line < where.line; ++line) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    return rest.substr(std::min(rest.size(), size_t(std::max(0, where.column - 1))));
}

/// yaml-cpp forgives a quote that is still open when the text ends; PyYAML does not.
bool is_unclosed(std::string_view quoted) {
    const char quote = quoted.empty() ? '\0' : quoted[0];
    if (quote != '"' && quote != '\'') return false;
    for (size_t i = 1; i < quoted.size(); ++i) {
        if (quote == '"' && quoted[i] == '\\') ++i;
        else if (quoted[i] != quote) continue;
        else if (quote == '\'' && i + 1 < quoted.size() && quoted[i + 1] == quote) ++i;
        else return false;
    }
    return true;
}

bool is_indented_by_tab(const std::string& text, int line) {
    const std::string_view rest = text_from(text, {line, 1});
    return rest.substr(0, std::min(rest.find_first_not_of(" \t"), rest.size())).find('\t') != std::string_view::npos;
}

bool parse_integer(std::string digits, nlohmann::json& value) {
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    const bool negative = digits[0] == '-';
    const size_t start = digits[0] == '-' || digits[0] == '+' ? 1 : 0;
    std::string_view body = std::string_view(digits).substr(start);
    int base = 10;
    for (const auto& [prefix, prefix_base] : {std::pair{"0x", 16}, {"0o", 8}, {"0b", 2}})
        if (base == 10 && body.size() > 2 && body.rfind(prefix, 0) == 0) {
            base = prefix_base;
            body.remove_prefix(2);
        }
    uint64_t magnitude = 0;
    const auto [end, failure] = std::from_chars(body.data(), body.data() + body.size(), magnitude, base);
    if (body.empty() || failure != std::errc() || end != body.data() + body.size()) return false;
    if (magnitude > uint64_t(std::numeric_limits<int64_t>::max())) return false;
    value = negative ? -int64_t(magnitude) : int64_t(magnitude);
    return true;
}

bool parse_number(const std::string& text, nlohmann::json& value) {
    std::string_view body = text;
    if (body[0] == '+') body.remove_prefix(1);
    const size_t sign = !body.empty() && body[0] == '-' ? 1 : 0;
    const bool numeric = body.size() > sign && (std::isdigit(static_cast<unsigned char>(body[sign])) ||
                                                (body[sign] == '.' && body.size() > sign + 1));
    if (!numeric) return false;  // from_chars would read "inf" and "nan", which are text in YAML
    double number = 0;
    const auto [end, failure] = std::from_chars(body.data(), body.data() + body.size(), number);
    if (failure != std::errc() || end != body.data() + body.size()) return false;
    value = number;
    return true;
}

}  // namespace

const YamlEntry* YamlNode::find(const std::string& key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const YamlEntry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &*found;
}

YamlNodePtr parse_yaml(const std::string& text, Diagnostics& diagnostics) {
    if (text.size() > kMaxRecipeBytes) {
        diagnostics.error({}, concat("the text has ", format_bytes(double(text.size())), ", too much for a recipe (at most ",
                                     format_bytes(double(kMaxRecipeBytes)), ")"));
        return nullptr;
    }
    if (const size_t bad = first_bad_utf8(text); bad != std::string::npos) {
        diagnostics.error(position_of_byte(text, bad), "this byte is not UTF-8; a recipe is a UTF-8 text file");
        return nullptr;
    }
    std::string source = text;
    // JSON may indent with tabs, which YAML forbids; within its strings a tab cannot stand.
    if (nlohmann::json::accept(text)) std::replace(source.begin(), source.end(), '\t', ' ');

    std::istringstream stream(source);
    TreeBuilder builder(diagnostics);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {}
        if (const SourcePosition quote = builder.last_quote(); quote.line > 0 && is_unclosed(text_from(source, quote)))
            throw Unreadable(quote, explain(YAML::ErrorMsg::EOF_IN_SCALAR));
        return builder.root();
    } catch (const Unreadable& problem) {
        diagnostics.error(problem.where, problem.what());
    } catch (const YAML::Exception& problem) {
        const SourcePosition where = position_of(problem.mark);
        const bool tab = where.line > 0 && is_indented_by_tab(source, where.line);
        diagnostics.error(where, explain(tab ? YAML::ErrorMsg::TAB_IN_INDENTATION : problem.msg));
    }
    return nullptr;
}

nlohmann::json resolve_plain_scalar(const std::string& text) {
    static const std::map<std::string, nlohmann::json> words = [] {
        std::map<std::string, nlohmann::json> map = {{"", nullptr}, {"~", nullptr}, {"null", nullptr}, {"Null", nullptr}, {"NULL", nullptr}};
        for (const char* yes : {"yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"}) map[yes] = true;
        for (const char* no : {"no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"}) map[no] = false;
        const double infinity = std::numeric_limits<double>::infinity();
        for (const char* plus : {".inf", ".Inf", ".INF", "+.inf"}) map[plus] = infinity;
        map["-.inf"] = -infinity;
        for (const char* nan : {".nan", ".NaN", ".NAN"}) map[nan] = std::nan("");
        return map;
    }();
    if (const auto word = words.find(text); word != words.end()) return word->second;
    nlohmann::json number;
    if (parse_integer(text, number) || parse_number(text, number)) return number;
    return text;
}

nlohmann::json to_json(const YamlNode& node) {
    switch (node.kind) {
        case YamlNode::Kind::Null: return nullptr;
        case YamlNode::Kind::Scalar: return node.quoted ? nlohmann::json(node.scalar) : resolve_plain_scalar(node.scalar);
        case YamlNode::Kind::Sequence: {
            auto list = nlohmann::json::array();
            for (const YamlNodePtr& item : node.items) list.push_back(to_json(*item));
            return list;
        }
        case YamlNode::Kind::Map: {
            auto object = nlohmann::json::object();
            for (const YamlEntry& entry : node.entries) object[entry.key] = to_json(*entry.value);
            return object;
        }
    }
    return nullptr;
}

}  // namespace calibench
