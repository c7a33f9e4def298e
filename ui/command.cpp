#include "ui/command.h"

#include <QAction>
#include <QStringList>
#include <QVariant>
#include <QWidget>

#include "ui/theme.h"

namespace calibench {

namespace {

constexpr const char* Help = "calibenchHelp";

template <typename Thing>
void remember(Thing* thing, const QString& help) {
    thing->setProperty(Help, help);
    thing->setToolTip(help);
}

template <typename Thing>
void allowThing(Thing* thing, const QString& obstacle) {
    QStringList lines{thing->property(Help).toString(), obstacle};
    lines.removeAll(QString());
    thing->setEnabled(obstacle.isEmpty());
    thing->setToolTip(lines.join(QLatin1Char('\n')));
}

}  // namespace

QAction* makeCommand(const CommandWords& words, QObject* parent) {
    auto* command = new QAction(words.text, parent);
    if (!words.icon.isEmpty()) command->setIcon(symbolicIcon(words.icon));
    command->setShortcut(words.shortcut);
    setHelp(command, words.help);
    return command;
}

QAction* addCommand(const CommandWords& words, QWidget* widget) {
    QAction* command = makeCommand(words, widget);
    command->setShortcutContext(Qt::WidgetShortcut);
    widget->addAction(command);
    widget->setContextMenuPolicy(Qt::ActionsContextMenu);
    return command;
}

void setHelp(QAction* command, const QString& help) {
    const QString shortcut = command->shortcut().toString(QKeySequence::NativeText);
    remember(command, shortcut.isEmpty() ? help : QStringLiteral("%1 (%2)").arg(help, shortcut));
}

void setHelp(QWidget* control, const QString& help) { remember(control, help); }

void allow(QAction* command, const QString& obstacle) { allowThing(command, obstacle); }
void allow(QWidget* control, const QString& obstacle) { allowThing(control, obstacle); }

}  // namespace calibench
