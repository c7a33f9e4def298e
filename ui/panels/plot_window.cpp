#include "ui/panels/plot_window.h"

#include <QCloseEvent>
#include <QVBoxLayout>

namespace calibench {

PlotWindow::PlotWindow(QWidget* plot, const QString& title, QWidget* parent) : QWidget(parent, Qt::Window) {
    setWindowTitle(title);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(plot);
    plot->show();
    resize(960, 640);
}

void PlotWindow::closeEvent(QCloseEvent* event) {
    event->accept();
    Q_EMIT closed();
}

}  // namespace calibench
