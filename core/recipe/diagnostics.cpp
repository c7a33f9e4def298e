#include "core/recipe/diagnostics.h"

#include <algorithm>
#include <tuple>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace {

constexpr size_t kMostShown = 100;  // a hostile text must not fill the window; nobody reads further
constexpr size_t kMostOffers = 60;               // working one out takes about as long as reading the text
constexpr size_t kLargestFixableText = 1 << 16;  // in bytes; a text of this size was not written by hand

}  // namespace

void Diagnostics::add(Diagnostic::Severity severity, SourcePosition where, std::string message) {
    if (severity == Diagnostic::Severity::Error) ++num_errors_;
    found_.push_back({severity, std::move(message), where.line, where.column, {}});
}

void Diagnostics::offer(std::string label, const std::function<std::string(const std::string&)>& change) {
    if (text_.empty() || text_.size() > kLargestFixableText || ++num_offers_ > kMostOffers) return;
    try {
        const std::string changed = change(text_);
        if (changed == text_) return;
        size_t head = 0, tail = 0;
        const size_t most = std::min(text_.size(), changed.size());
        while (head < most && text_[head] == changed[head]) ++head;
        while (tail < most - head && text_[text_.size() - 1 - tail] == changed[changed.size() - 1 - tail]) ++tail;
        found_.back().fixes.push_back({.label = std::move(label), .offset = head, .length = text_.size() - tail - head,
                                       .replacement = changed.substr(head, changed.size() - tail - head)});
    } catch (const InputError&) {
        return;  // written in a way that only a person should touch
    }
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
