#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/runs/compared_runs.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QPlainTextEdit;
class QTabWidget;
class QTreeView;

namespace calibench {

class ModuleDifferences;
class RecipeDiffView;
class RunLossPlot;
class Session;
class SettingsComparison;
class StatePage;

/// The chosen runs closely: one, or several side by side and held against the first.
class RunComparison : public QWidget {
    Q_OBJECT

public:
    enum Tab { Notes, Settings, Recipe, Modules, Losses };

    /// `session` must outlive this.
    explicit RunComparison(Session& session, QWidget* parent = nullptr);

    /// `problem`: what is said where no run can be looked at.
    void choose(std::vector<KnownRun> runs, const QString& problem = {});
    void editNotes();

    [[nodiscard]] const ComparedRuns& runs() const { return m_runs; }
    [[nodiscard]] QTabWidget* tabs() const { return m_tabs; }
    [[nodiscard]] QPlainTextEdit* annotation() const { return m_annotation; }
    [[nodiscard]] QTreeView* settings() const { return m_settingsView; }
    [[nodiscard]] RecipeDiffView* recipe() const { return m_recipe; }
    [[nodiscard]] ModuleDifferences* modules() const { return m_modules; }
    [[nodiscard]] RunLossPlot* losses() const { return m_losses; }

Q_SIGNALS:
    void annotated(const QString& directory, const QString& text);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* makeNotes();
    QWidget* makeSettings();
    QWidget* makeRecipe();
    void showRuns();
    void showNotes();
    void showSettings();
    void showOthers();
    void showRecipe();
    void saveNotes();

    Session& m_session;
    ComparedRuns m_runs;
    QString m_problem;
    StatePage* m_page = nullptr;
    QTabWidget* m_tabs;
    QLabel* m_about;
    QPlainTextEdit* m_annotation;
    QString m_annotated;  ///< directory of the run whose notes are shown
    QTimer m_pause;       ///< in typing
    QCheckBox* m_onlyDifferences;
    QTreeView* m_settingsView;
    SettingsComparison* m_settings;
    QWidget *m_settingsBar = nullptr, *m_recipeBar = nullptr;
    QComboBox* m_other;
    RecipeDiffView* m_recipe;
    ModuleDifferences* m_modules;
    RunLossPlot* m_losses;
    std::vector<StatePage*> m_waiting;  ///< of what needs all facts
};

}  // namespace calibench
