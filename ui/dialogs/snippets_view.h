#pragma once

#include <QTabWidget>

#include "ui/serving_snippets.h"

namespace calibench {

/// Snippets as tabs, each with a button that copies it.
class SnippetsView : public QTabWidget {
    Q_OBJECT

public:
    using QTabWidget::QTabWidget;

    void showSnippets(const QList<ServingSnippet>& snippets);  ///< the tab in front stays there

private:
    [[nodiscard]] QWidget* makePage(const ServingSnippet& snippet);
};

}  // namespace calibench
