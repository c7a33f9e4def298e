#pragma once

#include <QWidget>

class QTreeView;

namespace calibench {

class LogModel;

/// What happened, newest at the bottom; a double click or Enter picks the block that a message speaks of.
class LogPanel : public QWidget {
    Q_OBJECT

public:
    explicit LogPanel(LogModel& log, QWidget* parent = nullptr);

Q_SIGNALS:
    void moduleActivated(const QString& module);

private:
    QTreeView* m_view;
};

}  // namespace calibench
