#pragma once

#include <QWidget>

namespace calibench {

/// A window around one plot that was torn off. It gives the plot back when it is closed.
class PlotWindow : public QWidget {
    Q_OBJECT

public:
    PlotWindow(QWidget* plot, const QString& title, QWidget* parent);

Q_SIGNALS:
    void closed();

protected:
    void closeEvent(QCloseEvent* event) override;
};

}  // namespace calibench
