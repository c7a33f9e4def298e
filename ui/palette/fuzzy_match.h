#pragma once

#include <QStringView>

#include <optional>

namespace calibench {

/// How well `pattern` fits `text`: each of its words must be found in order, letter by letter, case aside. Letters that begin a
/// word or follow one another count more, and a short text more than a long one. Nothing when it does not fit; 0 for an empty pattern.
[[nodiscard]] std::optional<int> fuzzyScore(QStringView pattern, QStringView text);

}  // namespace calibench
