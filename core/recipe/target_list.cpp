#include "core/recipe/target_list.h"

#include "core/base/error.h"

namespace calibench {

void TargetList::add(const std::string& text, SourcePosition where, Diagnostics& diagnostics) {
    const size_t index = entries_.size();
    entries_.push_back({text, where});
    try {
        Target target(text);
        if (target.is_pattern())
            patterns_.push_back({index, std::move(target)});
        else
            exact_[text].push_back(index);
    } catch (const InputError& error) {
        entries_[index].usable = false;
        diagnostics.error(where, error.what());
    }
}

std::vector<TargetList::Hit> TargetList::match(const std::string& module_name, const std::string& class_name,
                                               Diagnostics& diagnostics) {
    std::vector<Hit> hits;
    const auto look_up = [&](const std::string& word, Target::Match match) {
        if (const auto found = exact_.find(word); found != exact_.end())
            for (const size_t index : found->second) hits.push_back({index, match});
    };
    look_up(module_name, Target::Match::Name);
    if (class_name != module_name) look_up(class_name, Target::Match::Class);
    for (const Pattern& pattern : patterns_) {
        Entry& entry = entries_[pattern.index];
        if (!entry.usable) continue;
        try {
            const Target::Match match = pattern.target.match(module_name, class_name);
            if (match != Target::Match::None) hits.push_back({pattern.index, match});
        } catch (const InputError& error) {
            entry.usable = false;
            diagnostics.error(entry.where, error.what());
        }
    }
    return hits;
}

}  // namespace calibench
