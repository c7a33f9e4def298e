#include "ui/form_section.h"

#include <QList>

namespace calibench {

void placeInTabOrder(QWidget* content, QWidget* before) {
    const auto takesFocus = [](const QWidget* widget) { return widget->focusPolicy() != Qt::NoFocus && !widget->focusProxy(); };
    QList<QWidget*> widgets;
    for (QWidget* widget = content->nextInFocusChain(); content->isAncestorOf(widget); widget = widget->nextInFocusChain())
        if (takesFocus(widget)) widgets << widget;
    QWidget* last = before->previousInFocusChain();
    while (last != before && (!takesFocus(last) || content->isAncestorOf(last))) last = last->previousInFocusChain();
    for (QWidget* widget : widgets) {
        QWidget::setTabOrder(last, widget);
        last = widget;
    }
}

}  // namespace calibench
