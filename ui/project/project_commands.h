#pragma once

#include <QObject>

#include <functional>
#include <optional>

#include "ui/project/recovery_file.h"

class QMessageBox;
class QWidget;

namespace calibench {

class FileCommands;
class MessageBar;
class ProjectDocument;
class RunController;
class Settings;

/// New, Open, Save for projects, the question before changes are lost, and the offer to restore what a crash left behind.
class ProjectCommands : public QObject {
    Q_OBJECT

public:
    /// `window` is the parent of dialogs and of this object.
    ProjectCommands(ProjectDocument& document, FileCommands& files, const RunController& controller, Settings& settings, MessageBar& messages,
                    QWidget* window);

    void createNew();
    void choose();
    void open(const QString& file);
    /// The project, and its recipe when that has a file. False when something was not saved.
    bool save();
    bool saveAs();
    /// Calls `then` when nothing is to be lost: at once, or when the user has answered.
    void askBeforeLosing(std::function<void()> then);
    void offerRestore();

Q_SIGNALS:
    void restored();  ///< what is on screen now is in no recovery file yet

private:
    bool saveTo(const QString& file);
    bool refuseDuringRun(const QString& sentence);
    void restore();

    ProjectDocument& m_document;
    FileCommands& m_files;
    const RunController& m_controller;
    Settings& m_settings;
    MessageBar& m_messages;
    QWidget* m_window;
    QMessageBox* m_question = nullptr;
    std::optional<RecoveryFile::Left> m_left;
};

}  // namespace calibench
