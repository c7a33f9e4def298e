#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/models/model_summary.h"
#include "core/quantization/target.h"
#include "core/recipe/diagnostics.h"

namespace calibench {

/// compressed-tensors gives schemes to these classes only, whatever else a target matches.
[[nodiscard]] inline bool is_quantizable(const ModuleInfo& module) { return module.class_name == "Linear" || module.class_name == "Embedding"; }

/// Many targets held against many modules: names and class names by look-up, patterns one by one.
class TargetList {
public:
    struct Hit {
        size_t index;  ///< of the target, in the order of add()
        Target::Match match;
    };

    /// A pattern that is none is reported and matches nothing.
    void add(const std::string& text, SourcePosition where, Diagnostics& diagnostics);

    /// Every target that matches the module. A pattern that takes too long is reported once and given up.
    [[nodiscard]] std::vector<Hit> match(const std::string& module_name, const std::string& class_name, Diagnostics& diagnostics);

    [[nodiscard]] size_t size() const { return entries_.size(); }
    [[nodiscard]] const std::string& text(size_t index) const { return entries_[index].text; }
    [[nodiscard]] SourcePosition position(size_t index) const { return entries_[index].where; }
    /// False for a pattern that could not be used; it was reported.
    [[nodiscard]] bool usable(size_t index) const { return entries_[index].usable; }

private:
    struct Entry {
        std::string text;
        SourcePosition where;
        bool usable = true;
    };
    struct Pattern {
        size_t index;
        Target target;
    };
    std::vector<Entry> entries_;
    std::unordered_map<std::string, std::vector<size_t>> exact_;
    std::vector<Pattern> patterns_;
};

}  // namespace calibench
