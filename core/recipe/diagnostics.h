#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/recipe/recipe.h"

namespace calibench {

/// Collects what is wrong with a recipe, so that all of it can be told at once.
class Diagnostics {
public:
    /// With the text, problems may come with fixes.
    explicit Diagnostics(std::string text = {}) : text_(std::move(text)) {}

    void error(SourcePosition where, std::string message) { add(Diagnostic::Severity::Error, where, std::move(message)); }
    void warning(SourcePosition where, std::string message) { add(Diagnostic::Severity::Warning, where, std::move(message)); }
    void note(SourcePosition where, std::string message) { add(Diagnostic::Severity::Note, where, std::move(message)); }
    void add(Diagnostic::Severity severity, SourcePosition where, std::string message);

    /// Offers a fix of the problem added last: `change` makes the new text of the old. One that changes nothing, or throws an
    /// InputError, is none.
    void offer(std::string label, const std::function<std::string(const std::string& text)>& change);

    [[nodiscard]] bool has_errors() const { return num_errors_ > 0; }
    /// Everything in text order; beyond a hundred, only how many more there are.
    [[nodiscard]] std::vector<Diagnostic> take();

private:
    std::string text_;
    size_t num_offers_ = 0;
    std::vector<Diagnostic> found_;
    size_t num_errors_ = 0;
};

}  // namespace calibench
