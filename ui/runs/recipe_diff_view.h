#pragma once

#include <QPlainTextEdit>

#include "core/base/line_diff.h"

namespace calibench {

/// A text, or what changed from one text to another as a unified diff: signs at the edge, lines in colour.
class RecipeDiffView : public QPlainTextEdit {
    Q_OBJECT

public:
    explicit RecipeDiffView(QWidget* parent = nullptr);

    void showText(const QString& text);
    void showDiff(const QString& before, const QString& after);

protected:
    void changeEvent(QEvent* event) override;

private:
    void colour();

    std::vector<DiffLine> m_lines;  ///< of the diff; empty while a text is shown
};

}  // namespace calibench
