#pragma once

#include <QAction>
#include <QObject>

#include <array>

namespace calibench {

class RunController;
class Session;

/// Every command of the window, and one rule for when each can be used; a disabled one says why in its tooltip.
class Actions : public QObject {
    Q_OBJECT

public:
    Actions(const Session& session, const RunController& controller, QObject* parent = nullptr);

    QAction *newProject, *openProject, *saveProject, *saveProjectAs;
    QAction *openModel, *openData, *openRecipe, *openDemo, *saveRecipe, *saveRecipeAs, *quit;
    QAction *check, *run, *continueRun, *pause, *stop, *exportCheckpoint, *openRunFolder;
    std::array<QAction*, 3> themes;  ///< in the order of enum Theme
    QAction *restoreLayout, *palette, *settings, *about;

private:
    QAction* make(const QString& icon, const QString& text, const QKeySequence& shortcut, const QString& help);
    void update();
    void allow(QAction* action, const QString& obstacle);

    const Session& m_session;
    const RunController& m_controller;
    QHash<QAction*, QString> m_help;
};

}  // namespace calibench
