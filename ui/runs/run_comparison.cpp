#include "ui/runs/run_comparison.h"

#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QPlainTextEdit>
#include <QSignalBlocker>
#include <QTabWidget>
#include <QTreeView>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "ui/command.h"
#include "ui/format.h"
#include "ui/models/bar_delegate.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/state_page.h"
#include "ui/runs/module_differences.h"
#include "ui/runs/recipe_diff_view.h"
#include "ui/runs/run_loss_plot.h"
#include "ui/runs/run_words.h"
#include "ui/runs/settings_comparison.h"
#include "ui/session.h"

namespace calibench {

using namespace std::chrono_literals;

RunComparison::RunComparison(Session& session, QWidget* parent)
    : QWidget(parent), m_session(session), m_runs(session.services()), m_tabs(new QTabWidget), m_about(new QLabel), m_annotation(new QPlainTextEdit),
      m_onlyDifferences(new QCheckBox(tr("Only what differs"))), m_settingsView(new QTreeView), m_settings(new SettingsComparison(this)),
      m_other(new QComboBox), m_recipe(new RecipeDiffView), m_modules(new ModuleDifferences(session)), m_losses(new RunLossPlot) {
    m_tabs->setDocumentMode(true);
    m_tabs->setAccessibleName(tr("The chosen runs"));
    m_tabs->addTab(makeNotes(), tr("Notes"));
    m_tabs->addTab(makeSettings(), tr("Settings"));
    m_tabs->addTab(makeRecipe(), tr("Recipe"));
    for (QWidget* page : {static_cast<QWidget*>(m_modules), static_cast<QWidget*>(m_losses)}) m_waiting.push_back(new StatePage(page));
    m_tabs->addTab(m_waiting[0], tr("Modules"));
    m_tabs->addTab(m_waiting[1], tr("Losses"));
    m_page = new StatePage(m_tabs);
    fill(this, {m_page});

    m_pause.setSingleShot(true);
    m_pause.setInterval(1s);
    connect(&m_pause, &QTimer::timeout, this, &RunComparison::saveNotes);
    connect(&m_runs, &ComparedRuns::changed, this, &RunComparison::showRuns);
    connect(&session, &Session::selectionChanged, m_losses, &Plot::setSelectedModule);
    connect(m_losses, &Plot::moduleClicked, &session, &Session::selectModule);
    showRuns();
}

QWidget* RunComparison::makeNotes() {
    m_annotation->setPlaceholderText(tr("What this run was for, and what it taught"));
    m_annotation->setAccessibleName(tr("Notes on the run"));
    m_annotation->setFrameShape(QFrame::NoFrame);
    m_annotation->document()->setDocumentMargin(12);
    m_annotation->setTabChangesFocus(true);
    m_annotation->installEventFilter(this);
    connect(m_annotation, &QPlainTextEdit::textChanged, &m_pause, qOverload<>(&QTimer::start));
    m_about->setWordWrap(true);
    m_about->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_about->setContentsMargins(12, 8, 12, 4);
    return makePage({m_about, m_annotation});
}

QWidget* RunComparison::makeSettings() {
    m_onlyDifferences->setChecked(true);
    m_onlyDifferences->setToolTip(tr("Leave out the settings in which all runs agree"));
    connect(m_onlyDifferences, &QCheckBox::toggled, this, &RunComparison::showSettings);
    m_settingsView->setModel(m_settings);
    m_settingsView->setItemDelegate(new BarDelegate(m_settingsView));
    m_settingsView->setRootIsDecorated(false);
    m_settingsView->setUniformRowHeights(true);
    m_settingsView->setAlternatingRowColors(true);
    m_settingsView->setFrameShape(QFrame::NoFrame);
    m_settingsView->setTextElideMode(Qt::ElideMiddle);
    m_settingsView->setAccessibleName(tr("Settings of the runs"));
    const auto* copy = addCommand({{}, tr("&Copy settings as table"), QKeySequence::Copy, tr("Copy all rows, with tabs between the columns")}, m_settingsView);
    connect(copy, &QAction::triggered, this, [this] {
        QList<int> rows(m_settings->rowCount());
        std::iota(rows.begin(), rows.end(), 0);
        QApplication::clipboard()->setText(m_settings->plainText(rows));
    });
    m_settingsBar = makeBar({m_onlyDifferences});
    return makePage({m_settingsBar, m_settingsView});
}

QWidget* RunComparison::makeRecipe() {
    auto* label = new QLabel(tr("What changed from A to"));
    label->setBuddy(m_other);
    m_other->setAccessibleName(tr("The run whose recipe is compared"));
    connect(m_other, &QComboBox::currentIndexChanged, this, &RunComparison::showRecipe);
    label->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_recipeBar = makeBar({label, m_other});
    return makePage({m_recipeBar, m_recipe});
}

void RunComparison::choose(std::vector<KnownRun> runs, const QString& problem) {
    saveNotes();
    m_problem = problem;
    m_runs.choose(std::move(runs));
}

void RunComparison::editNotes() {
    m_tabs->setCurrentIndex(Notes);
    m_annotation->setFocus(Qt::ShortcutFocusReason);
}

void RunComparison::showRuns() {
    const auto& runs = m_runs.runs();
    if (runs.empty()) {
        m_page->showEmpty(!m_problem.isEmpty() ? m_problem
                                               : tr("Select a run to see what it was told and what came of it. Select several (Ctrl, Shift) to compare them with the first."));
        m_annotated.clear();
        return;
    }
    m_page->showContent();
    showNotes();
    showSettings();
    showOthers();
    const bool ready = std::all_of(runs.begin(), runs.end(), [](const ComparedRun& run) { return run.facts != nullptr; });
    for (StatePage* page : m_waiting)
        if (ready) page->showContent();
        else if (m_runs.error().isEmpty()) page->showLoading(tr("Reading what the runs tell of their modules"));
        else page->showEmpty(m_runs.error());
    if (!ready) return;
    m_modules->setRuns(runs);
    m_losses->setRuns(runs);
}

void RunComparison::showNotes() {
    const KnownRun& run = m_runs.runs().front().known;
    QStringList lines{tr("%1, %2").arg(run.title(), wordsOfEnding(*run.facts))};
    if (run.notes.perplexity) lines << tr("Perplexity: %1").arg(detailOfPerplexity(*run.notes.perplexity));
    if (!run.notesProblem.isEmpty()) lines << run.notesProblem;
    m_about->setText(lines.join(QLatin1Char('\n')));
    const QString text = QString::fromStdString(run.notes.annotation);
    const bool typing = m_annotated == run.directory && (m_annotation->hasFocus() || m_pause.isActive());
    m_annotated = run.directory;
    if (typing || text == m_annotation->toPlainText()) return;
    const QSignalBlocker blocker(m_annotation);
    m_annotation->setPlainText(text);
}

void RunComparison::saveNotes() {
    const bool pending = m_pause.isActive() || sender() == &m_pause;
    m_pause.stop();
    if (pending && !m_annotated.isEmpty()) Q_EMIT annotated(m_annotated, m_annotation->toPlainText());
}

bool RunComparison::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_annotation && event->type() == QEvent::FocusOut) saveNotes();
    return QWidget::eventFilter(watched, event);
}

void RunComparison::showSettings() {
    const bool several = m_runs.runs().size() > 1;
    m_settingsBar->setVisible(several);
    const int columns = m_settings->columnCount();
    m_settings->setRuns(m_runs.runs(), several && m_onlyDifferences->isChecked());
    if (m_settings->columnCount() == columns) return;
    const int digit = m_settingsView->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    for (int column = 0; column < m_settings->columnCount(); ++column) m_settingsView->setColumnWidth(column, (column == 0 ? 26 : 34) * digit);
}

void RunComparison::showOthers() {
    const auto& runs = m_runs.runs();
    const QString before = m_other->currentData().toString();
    {
        const QSignalBlocker blocker(m_other);
        m_other->clear();
        for (size_t i = 1; i < runs.size(); ++i) m_other->addItem(tr("%1: %2").arg(letterOf(i), runs[i].known.title()), runs[i].known.directory);
        m_other->setCurrentIndex(std::max(0, m_other->findData(before)));
    }
    m_recipeBar->setVisible(runs.size() > 1);
    showRecipe();
}

void RunComparison::showRecipe() {
    const auto& runs = m_runs.runs();
    const auto recipeOf = [&](size_t run) { return QString::fromStdString(runs[run].known.facts->config.recipe_yaml); };
    const auto other = static_cast<size_t>(m_other->currentIndex() + 1);
    m_recipe->setPlaceholderText(runs.size() > 1 ? tr("The recipes are the same.") : tr("The recipe is empty."));
    if (other == 0 || other >= runs.size()) m_recipe->showText(recipeOf(0));
    else m_recipe->showDiff(recipeOf(0), recipeOf(other));
}

}  // namespace calibench
