#pragma once

#include <QKeySequence>
#include <QString>

class QAction;
class QObject;
class QWidget;

namespace calibench {

// Commands and controls tell in their tooltips what they are for and, while they cannot be used, why.

struct CommandWords {
    QString icon;  ///< a symbolic icon's name; may be empty
    QString text;
    QKeySequence shortcut;
    QString help;
};

[[nodiscard]] QAction* makeCommand(const CommandWords& words, QObject* parent);
/// In the widget's menu; the shortcut is for while it has the focus.
QAction* addCommand(const CommandWords& words, QWidget* widget);

/// A command's shortcut is named behind its help.
void setHelp(QAction* command, const QString& help);
void setHelp(QWidget* control, const QString& help);

/// Disabled with the reason below its help, or enabled when there is none.
void allow(QAction* command, const QString& obstacle);
void allow(QWidget* control, const QString& obstacle);

}  // namespace calibench
