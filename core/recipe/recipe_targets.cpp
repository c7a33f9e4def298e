// What targets match, and the other way round: the fewest targets that mean a given set of modules.

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <unordered_set>

#include "core/base/text.h"
#include "core/quantization/target.h"
#include "core/recipe/recipe_edit.h"
#include "core/recipe/target_list.h"

namespace calibench {

namespace {

std::string escaped(const std::string& text) {
    std::string pattern;
    for (const char c : text) {
        if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern;
}

std::vector<std::string> parts_of(const std::string& name) {
    std::vector<std::string> parts(1);
    for (const char c : name) {
        if (c == '.') parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}

bool is_number(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

/// "a" or "(a|b|c)"; what all begin and end with stands outside: "(gate|up|down)_proj".
std::string one_of(const std::vector<std::string>& words) {
    if (words.size() == 1) return words.front();
    size_t tail = words.front().size();
    for (const std::string& word : words) {
        size_t same = 0;
        while (same < std::min(tail, word.size()) && word[word.size() - 1 - same] == words.front()[words.front().size() - 1 - same]) ++same;
        tail = same;
    }
    const std::string& first = words.front();
    while (tail > 0 && first[first.size() - tail] != '_') --tail;  // whole words read better than letters
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "(" : "|") + word.substr(0, word.size() - tail);
    return text + ")" + first.substr(first.size() - tail);
}

/// Finds targets for modules of one model, holding every candidate against all of it.
class TargetFinder {
public:
    TargetFinder(const ModelSummary& model, const std::vector<std::string>& modules) : model_(model) {
        const std::unordered_set<std::string> names(modules.begin(), modules.end());
        for (const ModuleInfo& module : model.modules)
            if (names.contains(module.name)) wanted_.insert(module.name);
    }

    std::vector<std::string> find() {
        if (wanted_.size() <= 1) return {wanted_.begin(), wanted_.end()};
        for (const char* class_name : {"Linear", "Embedding"})
            if (means_all(class_name)) return {class_name};
        std::vector<std::string> targets;
        std::set<std::string> covered;
        for (const auto& [blocks, names] : by_blocks()) {
            if (blocks.empty() || names.size() < 2) continue;
            for (std::string& target : patterns_for(blocks, names)) {
                for (const std::string& name : matched_of_wanted(target)) covered.insert(name);
                targets.push_back(std::move(target));
            }
        }
        for (const ModuleInfo& module : model_.modules)
            if (wanted_.contains(module.name) && !covered.contains(module.name)) targets.push_back(module.name);
        return targets;
    }

private:
    /// What a name is without its block and its expert: "model.layers." and "mlp.experts.\d+.up_proj".
    struct Kind {
        std::string head, tail;
        auto operator<=>(const Kind&) const = default;
    };

    static Kind kind_of(const ModuleInfo& module) {
        const std::vector<std::string> parts = parts_of(module.name);
        Kind kind;
        size_t i = 0;
        for (; i < parts.size() && !is_number(parts[i]); ++i) kind.head += escaped(parts[i]) + "\\.";
        for (++i; i < parts.size(); ++i)
            kind.tail += (kind.tail.empty() ? "" : "\\.") + (is_number(parts[i]) ? std::string("\\d+") : escaped(parts[i]));
        return kind;
    }

    /// Does the target match all that is wanted, and nothing else that could be quantized?
    [[nodiscard]] bool means_all(const std::string& target) const { return matches(target, wanted_); }

    [[nodiscard]] bool matches(const std::string& target, const std::set<std::string>& names) const {
        const Target compiled(target);
        size_t hits = 0;
        for (const ModuleInfo& module : model_.modules) {
            if (compiled.match(module.name, module.class_name) == Target::Match::None) continue;
            if (names.contains(module.name)) ++hits;
            else if (is_quantizable(module)) return false;
        }
        return hits == names.size();
    }

    [[nodiscard]] std::vector<std::string> matched_of_wanted(const std::string& target) const {
        const Target compiled(target);
        std::vector<std::string> names;
        for (const std::string& name : wanted_)
            if (compiled.match(name, "") != Target::Match::None) names.push_back(name);
        return names;
    }

    /// The kinds whose modules are wanted in the same blocks, all experts of a block or none; others are named one by one.
    [[nodiscard]] std::map<std::set<int>, std::set<std::string>> by_blocks() {
        std::map<Kind, std::map<int, std::pair<size_t, std::vector<std::string>>>> blocks_of;  // how many there are, which are wanted
        std::vector<Kind> in_model_order;
        for (const ModuleInfo& module : model_.modules) {
            if (module.block < 0) continue;
            const Kind kind = kind_of(module);
            if (!blocks_of.contains(kind)) in_model_order.push_back(kind);
            auto& [count, names] = blocks_of[kind][module.block];
            ++count;
            if (wanted_.contains(module.name)) names.push_back(module.name);
        }
        std::map<std::set<int>, std::set<std::string>> groups;
        for (const Kind& kind : in_model_order) {
            const auto& blocks = blocks_of.at(kind);
            std::set<int> whole;
            std::set<std::string> names;
            for (const auto& [block, modules] : blocks) {
                if (modules.first != modules.second.size()) continue;
                whole.insert(block);
                names.insert(modules.second.begin(), modules.second.end());
            }
            if (whole.empty()) continue;
            if (whole.size() == blocks.size()) whole = {-1};  // everywhere
            groups[whole].insert(names.begin(), names.end());
            kinds_[whole].push_back(kind);
        }
        return groups;
    }

    /// The shortest that mean just `names`, which are all modules of some kinds in `blocks`.
    [[nodiscard]] std::vector<std::string> patterns_for(const std::set<int>& blocks, const std::set<std::string>& names) const {
        const std::vector<Kind>& kinds = kinds_.at(blocks);
        const bool everywhere = blocks == std::set<int>{-1};
        std::vector<std::string> numbers;
        for (const int block : blocks) numbers.push_back(std::to_string(block));
        const std::string number = everywhere ? "\\d+" : one_of(numbers);

        std::map<std::string, std::vector<std::string>> tails_of;  // by head
        for (const Kind& kind : kinds) tails_of[kind.head].push_back(kind.tail);
        std::vector<std::string> candidates;
        if (everywhere) {
            candidates.push_back("re:.*" + last_parts(kinds) + "$");
            candidates.push_back("re:.*\\." + last_parts(kinds) + "$");
            for (const std::string& tail : common_tails(kinds)) candidates.push_back("re:.*" + tail);
        }
        if (tails_of.size() == 1) {
            const std::string head = "re:" + tails_of.begin()->first + number + "\\.";
            candidates.push_back(head);
            for (const std::string& tail : common_tails(kinds)) candidates.push_back(head + tail);
            if (!everywhere) candidates.push_back(head + ".*" + last_parts(kinds) + "$");
            if (!everywhere) candidates.push_back(head + ".*\\." + last_parts(kinds) + "$");
        }
        if (everywhere) std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
        for (const std::string& candidate : candidates)
            if (matches(candidate, names)) return {candidate};

        std::vector<std::string> targets;  // one for each parent module, which cannot mean anything else
        std::map<std::string, std::vector<std::string>> lasts_of;
        for (const Kind& kind : kinds) {
            const size_t dot = kind.tail.rfind("\\.");
            const std::string parent = dot == std::string::npos ? "" : kind.tail.substr(0, dot + 2);
            lasts_of[kind.head + number + "\\." + parent].push_back(kind.tail.substr(parent.size()));
        }
        for (const auto& [parent, lasts] : lasts_of) targets.push_back("re:" + parent + one_of(lasts) + "$");
        return targets;
    }

    static std::string last_parts(const std::vector<Kind>& kinds) {
        std::vector<std::string> lasts;
        for (const Kind& kind : kinds) {
            const size_t dot = kind.tail.rfind("\\.");
            std::string last = dot == std::string::npos ? kind.tail : kind.tail.substr(dot + 2);
            if (std::find(lasts.begin(), lasts.end(), last) == lasts.end()) lasts.push_back(std::move(last));
        }
        return one_of(lasts);
    }

    /// "self_attn\." and "self_attn\.(q|k)_proj$" when all are below one parent.
    static std::vector<std::string> common_tails(const std::vector<Kind>& kinds) {
        std::set<std::string> parents;
        for (const Kind& kind : kinds) {
            const size_t dot = kind.tail.rfind("\\.");
            parents.insert(dot == std::string::npos ? "" : kind.tail.substr(0, dot + 2));
        }
        if (parents.size() != 1 || parents.begin()->empty()) return {};
        return {*parents.begin(), *parents.begin() + last_parts(kinds) + "$"};
    }

    const ModelSummary& model_;
    std::set<std::string> wanted_;
    std::map<std::set<int>, std::vector<Kind>> kinds_;
};

}  // namespace

std::vector<std::string> targets_for(const ModelSummary& model, const std::vector<std::string>& modules) {
    return TargetFinder(model, modules).find();
}

std::vector<std::string> matched_modules(const std::string& target, const ModelSummary& model) {
    const Target compiled(target);
    std::vector<std::string> names;
    for (const ModuleInfo& module : model.modules)
        if (is_quantizable(module) && compiled.match(module.name, module.class_name) != Target::Match::None) names.push_back(module.name);
    return names;
}

}  // namespace calibench
