#pragma once

#include <QWidget>

#include "ui/runs/perplexity_task.h"
#include "ui/runs/run_list.h"

class QAction;
class QLabel;
class QLineEdit;
class QProgressBar;
class QToolButton;
class QTreeView;

namespace calibench {

class RunComparison;
class RunController;
class RunsModel;
class Session;
class Settings;
class StatePage;
class TableFilter;

/// All runs in a table, and the selected ones closely below it.
class RunsPage : public QWidget {
    Q_OBJECT

public:
    /// All of them must outlive the page.
    RunsPage(Session& session, const RunController& controller, Settings& settings, QWidget* parent = nullptr);
    ~RunsPage() override;

    /// Those that are listed beside the ones in the folder of runs.
    void setProjectRuns(const QStringList& runs);

    [[nodiscard]] RunList& list() { return m_list; }
    [[nodiscard]] QTreeView* table() const { return m_table; }
    [[nodiscard]] RunComparison* comparison() const { return m_comparison; }
    [[nodiscard]] PerplexityTask& perplexity() { return m_perplexity; }
    /// Directories of the selected runs, in the order in which they were selected: the first is the base of a comparison.
    [[nodiscard]] const QStringList& selected() const { return m_selected; }
    void select(const QStringList& directories);

    QAction *showRun, *rename, *annotate, *useRecipe, *measure, *saveReport, *openFolder, *trash;

Q_SIGNALS:
    void showRequested(const QString& directory, const QString& model);
    void runRequested();
    void reportRequested(const QStringList& directories);  ///< the base first
    void trashed(const QString& directory, const QString& title);
    void failed(const QString& sentence);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void makeActions();
    QWidget* makeContent();
    QWidget* makeControls();
    void makeTable();
    void look();
    void showState();
    void takeSelection();
    void chooseCompared();
    void updateActions();
    void askForPerplexity();
    void startMeasuring(const QString& directory, const PerplexityOptions& options);
    void moveToTrash();
    void copy() const;
    /// The run that commands are for: the one selected last; null when there is none, or it is damaged.
    [[nodiscard]] const KnownRun* current() const;
    [[nodiscard]] const KnownRun* known(const QString& directory) const;
    [[nodiscard]] bool atWork(const KnownRun& run) const;
    [[nodiscard]] QString obstacleToTrash() const;

    Session& m_session;
    const RunController& m_controller;
    Settings& m_settings;
    RunList m_list;
    PerplexityTask m_perplexity;
    RunsModel* m_model;
    TableFilter* m_filtered;
    QStringList m_projectRuns;
    QStringList m_selected;
    QTreeView* m_table;
    QLineEdit* m_text;
    QLabel* m_state;
    QProgressBar* m_progress;
    QToolButton* m_stop;
    RunComparison* m_comparison;
    StatePage* m_page = nullptr;
};

}  // namespace calibench
