#include "ui/palette/fuzzy_match.h"

#include <algorithm>
#include <vector>

namespace calibench {

namespace {

constexpr int Letter = 1;
constexpr int Run = 4;        // follows the letter matched before
constexpr int WordStart = 6;  // "lp" finds load_project
constexpr int Whole = 20;     // the word stands there as it was typed

bool beginsWord(QStringView text, qsizetype at) {
    return at == 0 || !text[at - 1].isLetterOrNumber() || (text[at].isDigit() && !text[at - 1].isDigit());
}

/// Best score of matching all of `word` with its last letter at each place, one row of the usual dynamic programme at a time.
std::optional<int> wordScore(QStringView word, QStringView text) {
    constexpr int None = -1'000'000;
    std::vector<int> ending(static_cast<size_t>(text.size()), None);  // best score with the last letter matched here
    for (qsizetype i = 0; i < word.size(); ++i) {
        const QChar letter = word[i].toCaseFolded();
        int before = None;         // best ending anywhere to the left, of the letter before
        int directlyBefore = None;  // the same, ending just left of here
        for (qsizetype j = 0; j < text.size(); ++j) {
            int& place = ending[static_cast<size_t>(j)];
            const int old = place;
            place = None;
            if (text[j].toCaseFolded() == letter) {
                const int start = i == 0 ? 0 : std::max(before, directlyBefore == None ? None : directlyBefore + Run);
                if (start != None) place = start + Letter + (beginsWord(text, j) ? WordStart : 0);
            }
            before = std::max(before, old);
            directlyBefore = old;
        }
    }
    const int best = ending.empty() ? None : *std::max_element(ending.begin(), ending.end());
    if (best < 0) return {};
    return best + (text.contains(word, Qt::CaseInsensitive) ? Whole : 0);
}

}  // namespace

std::optional<int> fuzzyScore(QStringView pattern, QStringView text) {
    int total = 0;
    bool any = false;
    for (const QStringView word : pattern.split(u' ', Qt::SkipEmptyParts)) {
        const std::optional<int> score = wordScore(word, text);
        if (!score) return {};
        total += 16 * *score;
        any = true;
    }
    return any ? total - static_cast<int>(std::min<qsizetype>(text.size(), 256)) : 0;
}

}  // namespace calibench
