#include "core/base/line_diff.h"

#include <algorithm>
#include <cstdint>

#include "core/base/text.h"

namespace calibench {
namespace {

using Kind = DiffLine::Kind;
using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        if (!lines.back().empty() && lines.back().back() == '\r') lines.back().remove_suffix(1);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// How many lines the rests of two texts have in common, in order: of `before` from a row on, of `after` from a column on.
class CommonLines {
public:
    CommonLines(const Lines& before, const Lines& after) : width_(after.size() + 1), small_((before.size() + 1) * width_ <= most_cells) {
        if (!small_) return;
        counts_.resize((before.size() + 1) * width_);
        for (size_t row = before.size(); row-- > 0;)
            for (size_t column = after.size(); column-- > 0;)
                counts_[row * width_ + column] = before[row] == after[column] ? of(row + 1, column + 1) + 1 : std::max(of(row + 1, column), of(row, column + 1));
    }
    [[nodiscard]] bool known() const { return small_; }
    [[nodiscard]] uint32_t of(size_t row, size_t column) const { return counts_[row * width_ + column]; }

private:
    static constexpr size_t most_cells = 4'000'000;  // 16 MB

    size_t width_;
    bool small_;
    std::vector<uint32_t> counts_;
};

}  // namespace

std::vector<DiffLine> diff_lines(std::string_view before, std::string_view after) {
    Lines a = lines_of(before), b = lines_of(after);
    std::vector<DiffLine> diff;
    const auto add = [&](Kind kind, std::string_view text) { diff.push_back({kind, std::string(text)}); };
    size_t head = 0, tail = 0;
    while (head < std::min(a.size(), b.size()) && a[head] == b[head]) add(Kind::Same, a[head++]);
    while (tail < std::min(a.size(), b.size()) - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
    const Lines end(a.end() - static_cast<long>(tail), a.end());
    for (Lines* lines : {&a, &b}) {
        lines->resize(lines->size() - tail);
        lines->erase(lines->begin(), lines->begin() + static_cast<long>(head));
    }

    const CommonLines common(a, b);
    for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
        if (common.known() && i < a.size() && j < b.size() && a[i] == b[j]) {
            add(Kind::Same, a[i++]);
            ++j;
        } else if (i < a.size() && (j == b.size() || !common.known() || common.of(i + 1, j) >= common.of(i, j + 1))) {
            add(Kind::Removed, a[i++]);
        } else {
            add(Kind::Added, b[j++]);
        }
    }
    for (const std::string_view line : end) add(Kind::Same, line);
    return diff;
}

std::vector<DiffLine> unified_diff(std::string_view before, std::string_view after, size_t context) {
    const std::vector<DiffLine> lines = diff_lines(before, after);
    std::vector<bool> shown(lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].kind == Kind::Same) continue;
        for (size_t near = i - std::min(i, context); near < std::min(i + context + 1, lines.size()); ++near) shown[near] = true;
    }
    std::vector<DiffLine> diff;
    size_t line_before = 1, line_after = 1;  // numbers of the next ones
    for (size_t i = 0; i < lines.size(); ++i) {
        if (shown[i] && (i == 0 || !shown[i - 1])) {
            size_t count_before = 0, count_after = 0;
            for (size_t j = i; j < lines.size() && shown[j]; ++j) {
                count_before += lines[j].kind != Kind::Added;
                count_after += lines[j].kind != Kind::Removed;
            }
            diff.push_back({Kind::Gap, concat("@@ -", line_before, ",", count_before, " +", line_after, ",", count_after, " @@")});
        }
        if (shown[i]) diff.push_back(lines[i]);
        line_before += lines[i].kind != Kind::Added;
        line_after += lines[i].kind != Kind::Removed;
    }
    return diff;
}

}  // namespace calibench
