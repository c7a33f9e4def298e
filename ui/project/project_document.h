#pragma once

#include <QObject>

#include <functional>

#include "ui/project/project_file.h"

namespace calibench {

class RecipePanel;
class RunController;
class Session;

/// The project on screen: what of session, recipe, runs and layout a project file keeps, and whether that is saved.
class ProjectDocument : public QObject {
    Q_OBJECT

public:
    /// How the window gives and takes its layout.
    struct LayoutOfWindow {
        std::function<ProjectLayout()> get;
        std::function<void(const ProjectLayout&)> set;
    };
    ProjectDocument(Session& session, RecipePanel& recipe, RunController& controller, LayoutOfWindow layout, QObject* parent = nullptr);

    [[nodiscard]] QString file() const { return m_file; }  ///< empty: untitled
    [[nodiscard]] QString name() const;                    ///< without folder and suffix
    /// Saving would keep something that is not on disk. An untitled project counts only once its recipe was edited: models and
    /// texts that were merely opened are opened again as easily.
    [[nodiscard]] bool modified() const;
    /// Worth restoring after a crash: modified, or an untitled project with a model.
    [[nodiscard]] bool worthKeeping() const;
    [[nodiscard]] Project current() const;
    [[nodiscard]] const QStringList& runs() const { return m_runs; }

    /// Throws InputError, and leaves all as it is, when the file is no project. What is missing of its parts is told by problem().
    void open(const QString& file);
    /// Throws RunError. A recipe with a file of its own must have been saved before.
    void save(const QString& file);
    /// Puts on screen what a crashed window had on its own.
    void restore(const Project& project);
    void clear();

    /// Reads a run directory in the background and shows it; the model must be open.
    void showRun(const QString& runDirectory);
    /// The same for a run of `model`, which is opened first where another one is.
    void showRun(const QString& runDirectory, const QString& model);
    /// It is gone.
    void forgetRun(const QString& runDirectory);

Q_SIGNALS:
    void changed();  ///< file(), modified() or runs()
    void problem(const QString& sentence);
    void runShown();

private:
    void apply(const Project& project);
    void applyRecipe(const ProjectRecipe& recipe);
    void noteRun();
    void setRuns(const QStringList& runs);
    void showPendingRun();
    [[nodiscard]] Project content() const;  ///< current() without what changes by merely looking

    Session& m_session;
    RecipePanel& m_recipe;
    RunController& m_controller;
    const LayoutOfWindow m_layout;
    QString m_file;
    QStringList m_runs;
    Project m_saved;       ///< content() as it is in m_file
    QString m_pendingRun;  ///< to be shown when the model has been read
    bool m_applying = false;
};

}  // namespace calibench
