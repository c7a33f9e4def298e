#pragma once

#include <QObject>

#include <filesystem>
#include <vector>

class QWidget;

namespace calibench {

class Actions;
class FileSaver;
class RunController;
class Session;

/// Saves reports on runs as pages of HTML or as PDF, made off the window's thread.
class ReportCommands : public QObject {
    Q_OBJECT

public:
    /// `window` is the parent of this object.
    ReportCommands(Actions& actions, FileSaver& saver, const Session& session, const RunController& controller, QWidget* window);

    void saveShown();  ///< of the run on screen
    /// Of one run, or a comparison of several with the first.
    void save(const std::vector<std::filesystem::path>& runDirs);

private:
    FileSaver& m_saver;
    const Session& m_session;
    const RunController& m_controller;
};

}  // namespace calibench
