#include "core/data/text_pattern.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

template <typename... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

/// Collects matches in order and fills the gaps between them.
class Coverage {
public:
    void match(size_t begin, size_t end) {
        gap(begin);
        stretches_.push_back({begin, end, true});
        covered_ = end;
    }

    std::vector<Stretch> finish(size_t text_size) {
        gap(text_size);
        return std::move(stretches_);
    }

private:
    void gap(size_t until) {
        if (covered_ < until)
            stretches_.push_back({covered_, until, false});
    }

    std::vector<Stretch> stretches_;
    size_t covered_ = 0;
};

void match_literal(const std::string& literal, std::string_view text, Coverage& out) {
    for (size_t at = text.find(literal); at != std::string_view::npos; at = text.find(literal, at + literal.size()))
        out.match(at, at + literal.size());
}

void match_regex(const Regex& regex, std::string_view text, Coverage& out) {
    size_t from = 0;
    size_t last_end = std::string_view::npos;
    while (from <= text.size()) {
        const auto match = regex.find(text, from);
        if (!match)
            return;
        const bool empty = match->begin == match->end;
        // An empty match right after a match is not one; and behind any empty match the search goes on a character further.
        if (!empty || match->end != last_end)
            out.match(match->begin, match->end);
        last_end = match->end;
        from = match->end;
        if (empty)
            from += from < text.size() ? code_point_at(text, from).length : 1;
    }
}

void match_class(CharacterClass is_member, std::string_view text, Coverage& out) {
    for (size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        if (is_member(c.value))
            out.match(at, at + c.length);
        at += c.length;
    }
}

}  // namespace

TextPattern::TextPattern(std::string literal) {
    if (literal.empty())
        pattern_.emplace<Regex>("");  // matches between any two characters, as the empty expression does
    else
        pattern_ = std::move(literal);
}

TextPattern TextPattern::from_json(const JsonNode& node) {
    if (node.has("String"))
        return TextPattern(node.at("String").string());
    const JsonNode regex = node.at("Regex");
    try {
        return TextPattern(Regex(regex.string()));
    } catch (const InputError& error) {
        regex.fail(error.what());
    }
}

std::vector<Stretch> TextPattern::stretches(std::string_view text) const {
    Coverage coverage;
    std::visit(Overloaded{[&](const std::string& literal) { match_literal(literal, text, coverage); },
                          [&](const Regex& regex) { match_regex(regex, text, coverage); },
                          [&](CharacterClass is_member) { match_class(is_member, text, coverage); }},
               pattern_);
    return coverage.finish(text.size());
}

std::string TextPattern::replace_all(std::string_view text, std::string_view by) const {
    std::string out;
    out.reserve(text.size());
    for (const Stretch& s : stretches(text))
        out += s.matched ? by : text.substr(s.begin, s.end - s.begin);
    return out;
}

SplitBehavior split_behavior_from_json(const JsonNode& node) {
    static const std::pair<const char*, SplitBehavior> names[] = {
        {"Removed", SplitBehavior::removed},
        {"Isolated", SplitBehavior::isolated},
        {"MergedWithPrevious", SplitBehavior::merged_with_previous},
        {"MergedWithNext", SplitBehavior::merged_with_next},
        {"Contiguous", SplitBehavior::contiguous},
    };
    const std::string name = node.string();
    for (const auto& [known, behavior] : names)
        if (name == known)
            return behavior;
    node.fail(concat("is \"", name, "\": expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous."));
}

std::vector<Stretch> split(std::vector<Stretch> stretches, SplitBehavior behavior) {
    if (behavior == SplitBehavior::isolated)
        return stretches;
    if (behavior == SplitBehavior::removed) {
        std::erase_if(stretches, [](const Stretch& s) { return s.matched; });
        return stretches;
    }
    const bool backwards = behavior == SplitBehavior::merged_with_next;
    if (backwards)
        std::reverse(stretches.begin(), stretches.end());
    std::vector<Stretch> merged;
    bool previous_matched = false;
    for (const Stretch& s : stretches) {
        const bool joins = behavior == SplitBehavior::contiguous ? s.matched == previous_matched
                                                                 : s.matched && !previous_matched;
        previous_matched = s.matched;
        if (!joins || merged.empty())
            merged.push_back(s);
        else if (backwards)
            merged.back().begin = s.begin;
        else
            merged.back().end = s.end;
    }
    if (backwards)
        std::reverse(merged.begin(), merged.end());
    return merged;
}

}  // namespace calibench
