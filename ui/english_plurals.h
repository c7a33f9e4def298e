#pragma once

#include <QTranslator>

namespace calibench {

/// Gives English its plurals: "%n block(s)" reads "1 block" or "4 blocks". Install it before any other translator, which then
/// comes first.
class EnglishPlurals : public QTranslator {
    Q_OBJECT

public:
    using QTranslator::QTranslator;
    [[nodiscard]] bool isEmpty() const override { return false; }
    [[nodiscard]] QString translate(const char* context, const char* sourceText, const char* disambiguation, int n) const override;
};

}  // namespace calibench
