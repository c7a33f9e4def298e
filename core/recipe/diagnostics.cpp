#include "core/recipe/diagnostics.h"

#include <algorithm>
#include <tuple>

#include "core/base/text.h"

namespace calibench {

namespace {

constexpr size_t kMostShown = 100;  // a hostile text must not fill the window; nobody reads further

}  // namespace

void Diagnostics::add(Diagnostic::Severity severity, SourcePosition where, std::string message) {
    if (severity == Diagnostic::Severity::Error) ++num_errors_;
    found_.push_back({severity, std::move(message), where.line, where.column, {}});
}

std::vector<Diagnostic> Diagnostics::take() {
    std::stable_sort(found_.begin(), found_.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
    if (found_.size() > kMostShown) {
        // Errors are worth more than warnings when not all can be shown.
        std::stable_sort(found_.begin(), found_.end(),
                         [](const Diagnostic& a, const Diagnostic& b) { return a.severity < b.severity; });
        const size_t left_out = found_.size() - kMostShown;
        found_.resize(kMostShown);
        found_.push_back({Diagnostic::Severity::Note, concat(left_out, " more problems are not listed"), 0, 0, {}});
    }
    return std::exchange(found_, {});
}

std::string to_string(const Diagnostic& diagnostic) {
    static constexpr const char* names[] = {"error", "warning", "note"};
    const std::string text = concat(names[int(diagnostic.severity)], ": ", diagnostic.message);
    return diagnostic.line > 0 ? concat("line ", diagnostic.line, ": ", text) : text;
}

}  // namespace calibench
