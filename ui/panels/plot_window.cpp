#include "ui/panels/plot_window.h"

#include <QCloseEvent>

#include "ui/panels/page_parts.h"

namespace calibench {

PlotWindow::PlotWindow(QWidget* plot, const QString& title, QWidget* parent) : QWidget(parent, Qt::Window) {
    setWindowTitle(title);
    fill(this, {plot});
    plot->show();
    resize(960, 640);
}

void PlotWindow::closeEvent(QCloseEvent* event) {
    event->accept();
    Q_EMIT closed();
}

}  // namespace calibench
