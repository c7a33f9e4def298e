#pragma once

#include <QFrame>
#include <QLabel>

namespace calibench {

[[nodiscard]] inline QLabel* makeHeading(const QString& text) {
    auto* label = new QLabel(text);
    QFont font = label->font();
    font.setBold(true);
    label->setFont(font);
    return label;
}

/// A line across the form, above a section.
[[nodiscard]] inline QFrame* makeRule() {
    auto* rule = new QFrame;
    rule->setFrameShape(QFrame::HLine);
    rule->setForegroundRole(QPalette::Mid);
    rule->setFixedHeight(9);
    return rule;
}

/// Puts what can have the focus in `content`, made later, before `before`: Tab goes through the form from top to bottom.
void placeInTabOrder(QWidget* content, QWidget* before);

}  // namespace calibench
