#include "ui/runs/runs_page.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDesktopServices>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QSplitter>
#include <QStandardPaths>
#include <QToolButton>
#include <QTreeView>
#include <QUrl>

#include <algorithm>
#include <numeric>
#include <utility>

#include "ui/background.h"
#include "ui/command.h"
#include "ui/format.h"
#include "ui/models/table_filter.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/row_table.h"
#include "ui/panels/state_page.h"
#include "ui/run_controller.h"
#include "ui/runs/perplexity_dialog.h"
#include "ui/runs/run_comparison.h"
#include "ui/runs/runs_model.h"
#include "ui/session.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

static QList<int> allColumns() {
    QList<int> columns(RunsModel::NUM_COLUMNS);
    std::iota(columns.begin(), columns.end(), 0);
    return columns;
}

/// Where the user's trash cannot be made, Qt 6.4 would move things into the working directory instead.
static bool hasTrash() {
    const QString data = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation), trash = data + QStringLiteral("/Trash");
    return QDir().mkpath(data) && QFileInfo(QFileInfo::exists(trash) ? trash : data).isWritable();
}

RunsPage::RunsPage(Session& session, const RunController& controller, Settings& settings, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_settings(settings), m_list(session.services()), m_perplexity(session.services()),
      m_model(new RunsModel(m_list, this)), m_filtered(new TableFilter(*m_model, allColumns(), RunsModel::SortRole, this)), m_table(new QTreeView),
      m_text(new QLineEdit), m_state(new QLabel), m_progress(new QProgressBar), m_stop(new QToolButton), m_comparison(new RunComparison(session)) {
    makeActions();
    m_page = new StatePage(makeContent());
    fill(this, {m_page});

    connect(&m_list, &RunList::progressed, this, &RunsPage::showState);
    connect(&m_list, &RunList::failed, this, &RunsPage::failed);
    connect(&m_list, &RunList::runChanged, this, [this](int run) {
        if (m_selected.contains(m_list.runs()[static_cast<size_t>(run)].directory)) chooseCompared();
        updateActions();
    });
    connect(&m_perplexity, &PerplexityTask::progressed, this, &RunsPage::showState);
    connect(&m_perplexity, &PerplexityTask::failed, this, &RunsPage::failed);
    connect(&m_perplexity, &PerplexityTask::measured, this, [this](const QString& directory, const PerplexityNote& note) {
        const int run = m_list.find(directory);
        if (run < 0) return;
        RunNotes notes = m_list.runs()[static_cast<size_t>(run)].notes;
        notes.perplexity = note;
        m_list.setNotes(run, notes);
    });
    connect(m_comparison, &RunComparison::annotated, this, [this](const QString& directory, const QString& text) {
        const int run = m_list.find(directory);
        if (run < 0) return;
        RunNotes notes = m_list.runs()[static_cast<size_t>(run)].notes;
        if (notes.annotation == text.toStdString()) return;
        notes.annotation = text.toStdString();
        m_list.setNotes(run, notes);
    });
    connect(&m_controller, &RunController::stateChanged, this, [this] {
        look();  // one has begun, or ended
        updateActions();
    });
    connect(&m_session, &Session::modelChanged, this, &RunsPage::look);
    connect(&m_session, &Session::readinessChanged, this, &RunsPage::showState);
    connect(&m_settings, &Settings::preferencesChanged, this, &RunsPage::look);
    showState();
}

RunsPage::~RunsPage() {
    // Tables ask for their rows when they are hidden, and the list that has them is a member: they go first.
    delete m_page;
}

void RunsPage::makeActions() {
    const auto make = [this](const char* icon, const QString& text, const QKeySequence& shortcut, const QString& help, auto todo) {
        QAction* action = addCommand({QLatin1String(icon), text, shortcut, help}, m_table);
        connect(action, &QAction::triggered, this, todo);
        return action;
    };
    showRun = make("open", tr("&Show run"), {}, tr("Show the run's plots, losses and warnings, as when it ended"), [this] {
        if (const KnownRun* run = current()) Q_EMIT showRequested(run->directory, toText(run->facts->config.model_dir));
    });
    rename = make("", tr("&Rename run"), Qt::Key_F2, tr("Give the run a name of its own; its folder keeps the old one"), [this] {
        m_table->setFocus();
        m_table->edit(m_table->currentIndex().siblingAtColumn(RunsModel::Title));
    });
    annotate = make("", tr("Write &notes on the run"), {}, tr("Write down what the run was for and what it taught"), [this] { m_comparison->editNotes(); });
    useRecipe = make("recipe", tr("&Use the run's recipe"), {}, tr("Put the recipe that the run followed into the editor; Undo brings yours back"), [this] {
        if (const KnownRun* run = current()) m_session.changeRecipe(QString::fromStdString(run->facts->config.recipe_yaml));
    });
    measure = make("data", tr("&Measure perplexity…"), {}, tr("Measure how well the checkpoint predicts a text, beside the model it was made of"), &RunsPage::askForPerplexity);
    saveReport = make("", tr("Save r&eport…"), {}, tr("Save the selected run, or a comparison of several, as one page of HTML or as PDF"), [this] { Q_EMIT reportRequested(m_selected); });
    openFolder = make("", tr("Open run's &folder"), {}, tr("Show the folder with the run's journal and results"), [this] {
        const int run = m_list.find(m_selected.value(m_selected.size() - 1));
        if (run >= 0) QDesktopServices::openUrl(QUrl::fromLocalFile(m_list.runs()[static_cast<size_t>(run)].folder()));
    });
    trash = make("trash", tr("Move run to the &trash"), QKeySequence::Delete, tr("Move the run's folder, with its checkpoint, to the trash, from where it can be put back"), &RunsPage::moveToTrash);
    make("copy", tr("&Copy runs as table"), QKeySequence::Copy, tr("Copy the selected runs, with all digits and tabs between them"), &RunsPage::copy);
}

QWidget* RunsPage::makeContent() {
    makeTable();
    auto* parts = new QSplitter(Qt::Vertical);
    parts->addWidget(m_table);
    parts->addWidget(m_comparison);
    parts->setStretchFactor(0, 2);
    parts->setStretchFactor(1, 3);
    parts->setSizes({170, 330});
    parts->setHandleWidth(3);
    m_table->setMinimumHeight(80);
    m_comparison->setMinimumHeight(140);
    return makePage({makeControls(), parts});
}

QWidget* RunsPage::makeControls() {
    styleFilterField(m_text, tr("Filter by name, model, scheme …"), tr("Filter of the runs by text"));
    connect(m_text, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_filtered->setText(text);
        showState();
    });
    m_progress->setRange(0, 1000);
    styleProgress(m_progress);
    m_stop->setObjectName(QStringLiteral("stopMeasuring"));
    m_stop->setAutoRaise(true);
    m_stop->setIconSize({16, 16});
    m_stop->setIcon(symbolicIcon(QStringLiteral("stop")));
    m_stop->setToolTip(tr("Stop measuring perplexity"));
    m_stop->setAccessibleName(m_stop->toolTip());
    connect(m_stop, &QToolButton::clicked, &m_perplexity, &PerplexityTask::cancel);

    QList<QWidget*> controls{m_text, m_state, m_progress, m_stop};
    for (QAction* action : {showRun, useRecipe, measure, trash}) {
        auto* button = new QToolButton;
        button->setDefaultAction(action);
        button->setAutoRaise(true);
        button->setIconSize({16, 16});
        button->setAccessibleName(action->text().remove(QLatin1Char('&')));
        controls << button;
    }
    return makeBar(controls);
}

void RunsPage::makeTable() {
    m_table->setModel(m_filtered);
    m_table->setEditTriggers(QAbstractItemView::EditKeyPressed);
    styleRowTable(m_table, font(), tr("All runs, the newest first"));
    m_table->sortByColumn(RunsModel::Began, Qt::DescendingOrder);
    m_table->header()->setStretchLastSection(true);
    const int digit = QFontMetrics(m_table->font()).horizontalAdvance(QLatin1Char('0'));
    constexpr int Widths[] = {28, 12, 18, 26, 9, 14, 7, 17, 14, 11, 18};
    static_assert(std::size(Widths) == RunsModel::NUM_COLUMNS);
    for (int column = 0; column < RunsModel::NUM_COLUMNS; ++column) m_table->setColumnWidth(column, Widths[column] * digit);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &RunsPage::takeSelection);
    connect(m_table, &QTreeView::activated, this, [this](const QModelIndex&) {
        if (showRun->isEnabled()) showRun->trigger();
    });
}

void RunsPage::setProjectRuns(const QStringList& runs) {
    if (std::exchange(m_projectRuns, runs) != runs) look();
}

void RunsPage::look() { m_list.look(m_projectRuns, m_settings.workspace()); }

void RunsPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    look();
}

void RunsPage::showState() {
    const int all = m_model->rowCount(), shown = m_filtered->rowCount(), unread = m_list.countUnread();
    if (all == 0 && m_list.busy()) return m_page->showLoading(tr("Looking for runs"));
    if (all == 0) {
        const QString obstacle = m_session.obstacle();
        if (obstacle.isEmpty()) m_page->showEmpty(tr("Every run will show here with its settings and what came of it."), tr("Run"), [this] { Q_EMIT runRequested(); });
        else m_page->showEmpty(tr("Every run will show here with its settings and what came of it. %1").arg(obstacle));
        return;
    }
    m_page->showContent();
    m_state->setText(m_perplexity.busy() ? tr("measuring perplexity")
                     : unread > 0        ? tr("%1 of %2 read").arg(formatCount(all - unread), formatCount(all))
                     : shown < all       ? tr("%1 of %2 shown").arg(formatCount(shown), formatCount(all))
                                         : tr("%n run(s)", nullptr, all));
    m_progress->setVisible(m_perplexity.busy() || unread > 0);
    m_progress->setValue(static_cast<int>(1000 * (m_perplexity.busy() ? m_perplexity.fraction() : static_cast<double>(all - unread) / all)));
    m_stop->setVisible(m_perplexity.busy());
    updateActions();
}

void RunsPage::takeSelection() {
    QStringList now;
    for (const QModelIndex& row : m_table->selectionModel()->selectedRows()) now << row.data(RunsModel::DirectoryRole).toString();
    m_selected.removeIf([&now](const QString& directory) { return !now.contains(directory); });
    for (const QString& directory : std::as_const(now))
        if (!m_selected.contains(directory)) m_selected << directory;
    chooseCompared();
    updateActions();
}

void RunsPage::select(const QStringList& directories) {
    m_table->clearSelection();
    for (const QString& directory : directories) {
        const int run = m_list.find(directory);
        const QModelIndex index = run < 0 ? QModelIndex() : m_filtered->mapFromSource(m_model->index(run, 0));
        m_table->selectionModel()->setCurrentIndex(index, QItemSelectionModel::Select | QItemSelectionModel::Rows);
    }
}

void RunsPage::chooseCompared() {
    std::vector<KnownRun> runs;
    QString problem;
    for (const QString& directory : std::as_const(m_selected)) {
        const int run = m_list.find(directory);
        if (const KnownRun* readable = known(directory)) runs.push_back(*readable);
        else if (run >= 0) problem = m_list.runs()[static_cast<size_t>(run)].problem;
    }
    m_comparison->choose(std::move(runs), problem);
}

const KnownRun* RunsPage::known(const QString& directory) const {
    const int run = directory.isEmpty() ? -1 : m_list.find(directory);
    return run >= 0 && m_list.runs()[static_cast<size_t>(run)].facts ? &m_list.runs()[static_cast<size_t>(run)] : nullptr;
}

const KnownRun* RunsPage::current() const { return m_selected.isEmpty() ? nullptr : known(m_selected.constLast()); }

bool RunsPage::atWork(const KnownRun& run) const {
    return (run.facts && run.facts->at_work) || (m_controller.active() && toText(m_controller.config().run_dir) == run.directory);
}

QString RunsPage::obstacleToTrash() const {
    if (m_selected.isEmpty()) return tr("Select a run first.");
    for (const QString& directory : m_selected)
        if (const int run = m_list.find(directory); run >= 0 && atWork(m_list.runs()[static_cast<size_t>(run)])) return tr("The run is at work. Stop it first.");
    return {};
}

void RunsPage::updateActions() {
    const KnownRun* run = current();
    const QString none = m_selected.isEmpty() ? tr("Select a run first.") : run ? QString() : tr("The run cannot be read.");
    const QString busy = tr("A run is at work.");
    allow(showRun, !none.isEmpty() ? none : m_controller.active() ? busy : QString());
    allow(rename, m_selected.isEmpty() ? none : QString());
    allow(annotate, none);
    allow(useRecipe, none);
    const bool allKnown = std::all_of(m_selected.begin(), m_selected.end(), [this](const QString& directory) { return known(directory) != nullptr; });
    allow(saveReport, !none.isEmpty() ? none : allKnown ? QString() : tr("One of the runs cannot be read."));
    allow(openFolder, m_selected.isEmpty() ? none : QString());
    allow(trash, obstacleToTrash());
    allow(measure, !none.isEmpty()                    ? none
                   : run->facts->output_dir.empty()   ? tr("The run wrote no checkpoint.")
                   : m_perplexity.busy()              ? tr("Perplexity is being measured.")
                   : m_controller.active()            ? busy
                                                      : QString());
}

void RunsPage::askForPerplexity() {
    const KnownRun* run = current();
    if (!run) return;
    auto* dialog = new PerplexityDialog(run->title(), m_session.data().file, m_settings, this);
    connect(dialog, &PerplexityDialog::chosen, this, [this, directory = run->directory](const PerplexityOptions& options) { startMeasuring(directory, options); });
    dialog->show();
}

void RunsPage::startMeasuring(const QString& directory, const PerplexityOptions& options) {
    const KnownRun* run = known(directory);
    if (!run) return;
    // What another run has found out about the same model need not be measured again.
    std::optional<PerplexityNote> found;
    for (const KnownRun& other : m_list.runs()) {
        const auto& note = other.notes.perplexity;
        const bool same = note && other.facts && other.facts->config.model_dir == run->facts->config.model_dir && note->text == options.text &&
                          note->seq_len == options.seq_len && note->max_tokens == options.max_tokens;
        if (same) found = note;
    }
    PerplexityOptions here = options;
    const RunOptions computer = m_settings.runOptions();
    here.device = computer.device.toStdString();
    here.threads = computer.threads;
    m_perplexity.start(*run->facts, here, found);
}

void RunsPage::moveToTrash() {
    for (const QString& directory : QStringList(m_selected)) {
        const int run = m_list.find(directory);
        if (run < 0) continue;
        const auto move = [folder = m_list.runs()[static_cast<size_t>(run)].folder()] { return hasTrash() && QFile::moveToTrash(folder); };
        runInBackground(this, move, [this, directory, title = m_list.runs()[static_cast<size_t>(run)].title()](const Outcome<bool>& outcome) {
            if (!outcome.value.value_or(false)) {
                Q_EMIT failed(tr("“%1” cannot be moved to the trash. Is its folder on a disk without one, or read-only? Delete it in the file manager.").arg(title));
                return;
            }
            if (const int gone = m_list.find(directory); gone >= 0) m_list.forget(gone);
            Q_EMIT trashed(directory, title);
        });
    }
}

void RunsPage::copy() const {
    QApplication::clipboard()->setText(m_model->plainText(selectedSourceRows(*m_table)));
}

}  // namespace calibench
