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
    QAction *check, *run, *rerun, *continueRun, *pause, *stop, *exportCheckpoint, *openRunFolder;
    std::array<QAction*, 3> themes;  ///< in the order of enum Theme
    QAction *savePicture, *saveNumbers, *saveReport;
    QAction *restoreLayout, *palette, *settings, *about;

    /// What a run would take over of an earlier one: the command's text and help, and why it cannot be used now, if so.
    void offerRerun(const QString& text, const QString& help, const QString& obstacle);

private:
    void update();

    const Session& m_session;
    const RunController& m_controller;
};

}  // namespace calibench
