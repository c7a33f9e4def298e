#include "ui/panels/page_parts.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <QVBoxLayout>

namespace calibench {

void fill(QWidget* page, const QList<QWidget*>& parts) {
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    for (QWidget* part : parts) layout->addWidget(part, part == parts.back() ? 1 : 0);
}

QWidget* makePage(const QList<QWidget*>& parts) {
    auto* page = new QWidget;
    page->setAutoFillBackground(true);
    page->setBackgroundRole(QPalette::Base);
    fill(page, parts);
    return page;
}

QWidget* makeBar(const QList<QWidget*>& controls) {
    auto* bar = new QWidget;
    bar->setAutoFillBackground(true);
    bar->setBackgroundRole(QPalette::Window);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(12, 6, 8, 4);
    row->setSpacing(8);
    for (QWidget* control : controls) row->addWidget(control, control == controls.front() ? 1 : 0);
    return bar;
}

void styleProgress(QProgressBar* progress) {
    progress->setTextVisible(false);
    progress->setMaximumWidth(120);
    progress->setMaximumHeight(8);
}

}  // namespace calibench
