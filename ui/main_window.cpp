#include "ui/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDateTime>
#include <QDir>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QKeyEvent>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QStackedWidget>
#include <QThread>

#include <algorithm>
#include <cmath>

#include "ui/actions.h"
#include "ui/dialogs/about_dialog.h"
#include "ui/dialogs/preflight_dialog.h"
#include "ui/dialogs/settings_dialog.h"
#include "ui/dropped_files.h"
#include "ui/format.h"
#include "ui/palette/command_palette.h"
#include "ui/palette/palette_entries.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/intervene_panel.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/start_page.h"
#include "ui/panels/warnings_panel.h"
#include "ui/project/autosave.h"
#include "ui/project/file_commands.h"
#include "ui/project/project_commands.h"
#include "ui/project/project_document.h"
#include "ui/project/samples.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/recipe_follower.h"
#include "ui/report/file_saver.h"
#include "ui/report/plot_commands.h"
#include "ui/report/report_commands.h"
#include "ui/run_endings.h"
#include "ui/run_log.h"
#include "ui/run_notifier.h"
#include "ui/runs/rerun_offer.h"
#include "ui/runs/runs_page.h"
#include "ui/theme.h"
#include "ui/window_menus.h"

namespace calibench {

using State = RunController::State;
using Kind = MessageBar::Kind;

MainWindow::MainWindow(CoreServices services, Settings& settings, const QString& resources, QWidget* parent)
    : QMainWindow(parent), m_settings(settings), m_resources(resources), m_session(services), m_controller(services.runCalibration),
      m_actions(new Actions(m_session, m_controller, this)), m_messages(new MessageBar), m_centre(new QStackedWidget),
      m_plots(new PlotsPage(m_session, m_controller, m_settings)), m_modelPanel(new ModelPanel(m_session, m_controller)),
      m_dataPanel(new DataPanel(m_session)), m_recipePanel(new RecipePanel(m_session, m_settings, resources)),
      m_files(new FileCommands(m_session, m_controller, *m_recipePanel, m_settings, *m_messages, resources, this)),
      m_endings(new RunEndings(m_session, m_controller, m_settings, *m_messages, this)),
      m_project(new ProjectDocument(m_session, *m_recipePanel, m_controller,
                                    {.get = [this] { return ProjectLayout{.window = saveState(), .tab = m_plots->currentTab()}; },
                                     .set = [this](const ProjectLayout& layout) {
                                         restoreState(layout.window);
                                         m_plots->setCurrentTab(layout.tab);
                                     }}, this)),
      m_projects(new ProjectCommands(*m_project, *m_files, m_controller, m_settings, *m_messages, this)),
      m_autosave(new Autosave(*m_project, m_settings, this)),
      m_rerun(new RerunOffer(m_session, m_controller, m_plots->runsPage()->list(), [this] { return runConfig(); }, this)), m_saver(new FileSaver(m_settings, *m_messages, this)),
      m_reports(new ReportCommands(*m_actions, *m_saver, m_session, m_controller, this)) {
    setWindowIcon(QIcon(QStringLiteral(":/calibench/icons/calibench.svg")));
    setAcceptDrops(true);
    setDockOptions(AnimatedDocks | AllowTabbedDocks | AllowNestedDocks);

    makeCentre();
    makeDocks();
    QList<QDockWidget*> docks;
    for (const Dock& dock : m_docks) docks << dock.widget;
    makeMenus(*this, *m_actions, m_settings, *m_project, docks);
    makeToolBar(*this, *m_actions, m_controller);
    connectPanels();
    connectRuns();
    connectActions();
    new PlotCommands(*m_actions, *m_saver, m_session, m_controller, this);
    new RunLog(m_controller, m_log, m_warnings, this);
    new RunNotifier(m_controller, m_settings, this);
    new RecipeFollower(m_controller, m_session, m_log, this);

    qApp->installEventFilter(this);
    m_session.setData(m_settings.data());
    resize((screen()->availableSize() * 0.85).expandedTo({1280, 720}));
    applyDefaultLayout();
    if (const QByteArray geometry = m_settings.windowGeometry(); !geometry.isEmpty()) restoreGeometry(geometry);
    if (const QByteArray state = m_settings.windowState(); !state.isEmpty()) restoreState(state);
    m_plots->setCurrentTab(m_settings.plotTab());
    showTitle();
    QMetaObject::invokeMethod(m_projects, &ProjectCommands::offerRestore, Qt::QueuedConnection);  // behind what the caller opens
}

MainWindow::~MainWindow() {
    // Panels speak to the session when they lose the focus, and it is a member: they go first.
    qDeleteAll(findChildren<QWidget*>(Qt::FindDirectChildrenOnly));
}

void MainWindow::makeCentre() {
    auto* start = new StartPage(m_settings, m_resources);
    connect(start, &StartPage::openModelRequested, m_files, &FileCommands::chooseModel);
    connect(start, &StartPage::openProjectRequested, m_projects, &ProjectCommands::choose);
    connect(start, &StartPage::modelChosen, m_files, &FileCommands::openModel);
    connect(start, &StartPage::projectChosen, m_projects, &ProjectCommands::open);
    connect(start, &StartPage::demoChosen, this, &MainWindow::openDemoModel);
    connect(start, &StartPage::sampleChosen, this, &MainWindow::openSample);
    m_actions->openDemo->setVisible(!bundledDemos(m_resources).isEmpty());
    m_centre->addWidget(start);
    m_centre->addWidget(m_plots);
    auto* middle = new QWidget(this);
    fill(middle, {m_messages, m_centre});
    setCentralWidget(middle);
}

QDockWidget* MainWindow::addDock(const QString& name, const QString& title, QWidget* content, Qt::DockWidgetArea area) {
    auto* dock = new QDockWidget(title, this);
    dock->setObjectName(name);
    dock->setWidget(content);
    addDockWidget(area, dock);
    m_docks << Dock{dock, area};
    return dock;
}

void MainWindow::makeDocks() {
    addDock(QStringLiteral("model"), tr("Model"), m_modelPanel, Qt::LeftDockWidgetArea);
    addDock(QStringLiteral("data"), tr("Calibration text"), m_dataPanel, Qt::RightDockWidgetArea);
    QDockWidget* recipe = addDock(QStringLiteral("recipe"), tr("Recipe"), m_recipePanel, Qt::RightDockWidgetArea);
    connect(m_recipePanel, &RecipePanel::documentChanged, recipe, [this, recipe] {
        const QString name = m_recipePanel->file().isEmpty() ? tr("untitled") : QFileInfo(m_recipePanel->file()).fileName();
        recipe->setWindowTitle(m_recipePanel->modified() ? tr("Recipe: %1, not saved").arg(name) : tr("Recipe: %1").arg(name));
        recipe->setToolTip(m_recipePanel->file());
    });
    auto* logPanel = new LogPanel(m_log);
    addDock(QStringLiteral("log"), tr("Log"), logPanel, Qt::BottomDockWidgetArea);
    auto* warningsPanel = new WarningsPanel(m_warnings);
    QDockWidget* warnings = addDock(QStringLiteral("warnings"), tr("Warnings"), warningsPanel, Qt::BottomDockWidgetArea);
    connect(&m_warnings, &WarningModel::countChanged, warnings, [this, warnings] {
        const int count = m_warnings.shownCount();
        warnings->setWindowTitle(count > 0 ? tr("Warnings: %1").arg(formatCount(count)) : tr("Warnings"));
    });
    connect(warningsPanel, &WarningsPanel::placeRequested, this, [this](Warning::Kind kind, const QString& module) {
        if (!module.isEmpty()) m_session.selectModule(module);
        m_plots->showEvidence(kind);
    });
    QDockWidget* block = addDock(QStringLiteral("block"), tr("Block at work"), new IntervenePanel(m_session, m_controller), Qt::BottomDockWidgetArea);
    connect(&m_controller, &RunController::stateChanged, block, [block](State state) {
        if (state == State::Paused) block->raise();  // a run is held to step in
    });
    connect(logPanel, &LogPanel::moduleActivated, &m_session, &Session::selectModule);
}

void MainWindow::applyDefaultLayout() {
    for (const Dock& dock : m_docks) {
        dock.widget->setFloating(false);
        addDockWidget(dock.area, dock.widget);
        dock.widget->show();
    }
    m_modelPanel->setMinimumWidth(280);  // names are cut before the plots are
    // More than half of the window for the plots, since docks come out a little wider than asked; of the rest, the tree with its numbers needs more than the recipe.
    const auto dock = [this](const char* name) { return findChild<QDockWidget*>(QString::fromLatin1(name)); };
    const int right = std::max({width() * 22 / 100, dock("recipe")->minimumSizeHint().width(), dock("data")->minimumSizeHint().width()});
    resizeDocks({dock("model"), dock("recipe")}, {width() * 46 / 100 - right, right}, Qt::Horizontal);
    resizeDocks({dock("data"), dock("recipe")}, {170, 420}, Qt::Vertical);
    tabifyDockWidget(dock("log"), dock("warnings"));
    if (width() >= 1800)
        resizeDocks({dock("log"), dock("block")}, {width() * 45 / 100, width() * 55 / 100}, Qt::Horizontal);
    else
        tabifyDockWidget(dock("warnings"), dock("block"));  // no room for both side by side
    dock("log")->raise();
    resizeDocks({dock("log")}, {150}, Qt::Vertical);
}

void MainWindow::connectPanels() {
    connect(m_modelPanel, &ModelPanel::openRequested, m_files, &FileCommands::chooseModel);
    connect(m_modelPanel, &ModelPanel::blockSelected, m_plots, &PlotsPage::showBlock);
    connect(m_modelPanel, &ModelPanel::failed, m_messages, [this](const QString& message) { m_messages->post(Kind::Error, message); });
    connect(m_dataPanel, &DataPanel::browseRequested, m_files, &FileCommands::chooseData);
    connect(m_recipePanel, &RecipePanel::openRequested, m_files, &FileCommands::chooseRecipe);
    connect(m_recipePanel, &RecipePanel::saveRequested, m_files, &FileCommands::saveRecipe);
    connect(m_plots, &PlotsPage::runRequested, this, &MainWindow::startRun);
    connect(m_endings, &RunEndings::runRequested, this, &MainWindow::startRun);
    connect(&m_session, &Session::dataChanged, this, [this] { m_settings.setData(m_session.data()); });
    connect(&m_session, &Session::modelChanged, this, [this] {
        const bool start = m_session.modelState() == Session::ModelState::None;
        m_centre->setCurrentIndex(start ? 0 : 1);
        m_controller.clear(m_session.model());
        if (m_session.modelState() == Session::ModelState::Failed) m_messages->post(Kind::Error, m_session.modelError());
        if (m_session.modelState() == Session::ModelState::Ready) m_settings.addRecent(Settings::Recent::Models, m_session.modelFolder());
        showTitle();
    });
    connect(m_project, &ProjectDocument::changed, this, &MainWindow::showTitle);
    connect(m_project, &ProjectDocument::runShown, m_endings, &RunEndings::showEarlierRun);
    connect(m_projects, &ProjectCommands::restored, m_autosave, &Autosave::saveNow);
    connect(m_autosave, &Autosave::failed, this, [this](const QString& sentence) { m_messages->post(Kind::Warning, sentence); });
    connect(&m_controller, &RunController::snapshotArrived, this, &MainWindow::showTitle);
    connect(&m_controller, &RunController::stateChanged, this, [this] {
        showTitle();
        if (m_closeWhenEnded && !m_controller.active()) close();
    });
}

void MainWindow::connectRuns() {
    RunsPage* runs = m_plots->runsPage();
    connect(runs, &RunsPage::showRequested, this, [this](const QString& directory, const QString& model) { m_project->showRun(directory, model); });
    connect(runs, &RunsPage::failed, this, [this](const QString& sentence) { m_messages->post(Kind::Error, sentence); });
    connect(runs, &RunsPage::trashed, this, [this](const QString& directory, const QString& title) {
        m_project->forgetRun(directory);
        if (toText(m_controller.config().run_dir) == directory) m_controller.clear(m_session.model());
        m_messages->post(Kind::Info, tr("“%1” is in the trash.").arg(title));
    });
    connect(runs, &RunsPage::reportRequested, this, [this](const QStringList& directories) {
        std::vector<std::filesystem::path> runDirs;
        for (const QString& directory : directories) runDirs.push_back(toPath(directory));
        m_reports->save(runDirs);
    });
    connect(m_project, &ProjectDocument::changed, runs, [this, runs] { runs->setProjectRuns(m_project->runs()); });
    const auto offer = [this] { m_actions->offerRerun(m_rerun->text(), m_rerun->detail(), m_rerun->obstacle()); };
    connect(m_rerun, &RerunOffer::changed, this, offer);
    offer();
}

void MainWindow::connectActions() {
    connect(m_actions->newProject, &QAction::triggered, m_projects, &ProjectCommands::createNew);
    connect(m_actions->openProject, &QAction::triggered, m_projects, &ProjectCommands::choose);
    connect(m_actions->saveProject, &QAction::triggered, m_projects, &ProjectCommands::save);
    connect(m_actions->saveProjectAs, &QAction::triggered, m_projects, &ProjectCommands::saveAs);
    connect(m_actions->openModel, &QAction::triggered, m_files, &FileCommands::chooseModel);
    connect(m_actions->openData, &QAction::triggered, m_files, &FileCommands::chooseData);
    connect(m_actions->openRecipe, &QAction::triggered, m_files, &FileCommands::chooseRecipe);
    connect(m_actions->openDemo, &QAction::triggered, this, &MainWindow::openDemo);
    connect(m_actions->saveRecipe, &QAction::triggered, m_files, &FileCommands::saveRecipe);
    connect(m_actions->saveRecipeAs, &QAction::triggered, m_files, &FileCommands::saveRecipeAs);
    connect(m_actions->quit, &QAction::triggered, this, &QWidget::close);
    connect(m_actions->check, &QAction::triggered, this, [this] {
        auto* dialog = new PreflightDialog(m_session.services(), runConfig(), this);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->show();
    });
    connect(m_actions->run, &QAction::triggered, this, &MainWindow::startRun);
    connect(m_actions->rerun, &QAction::triggered, this, &MainWindow::startRerun);
    connect(m_actions->continueRun, &QAction::triggered, &m_controller, &RunController::continueRun);
    connect(m_actions->pause, &QAction::triggered, this, [this] {
        m_controller.state() == State::Paused ? m_controller.requestResume() : m_controller.requestPause();
    });
    connect(m_actions->stop, &QAction::triggered, &m_controller, &RunController::requestStop);
    connect(m_actions->exportCheckpoint, &QAction::triggered, m_endings, &RunEndings::showExportDialog);
    connect(m_actions->openRunFolder, &QAction::triggered, m_endings, &RunEndings::openRunFolder);
    connect(m_actions->restoreLayout, &QAction::triggered, this, &MainWindow::applyDefaultLayout);
    connect(m_actions->palette, &QAction::triggered, this, &MainWindow::showPalette);
    connect(m_actions->settings, &QAction::triggered, this, &MainWindow::showSettings);
    connect(m_actions->about, &QAction::triggered, this, [this] { showAbout(this); });
    for (size_t i = 0; i < m_actions->themes.size(); ++i)
        connect(m_actions->themes[i], &QAction::triggered, this, [this, i] { m_settings.setTheme(static_cast<Theme>(i)); });
    connect(&m_settings, &Settings::themeChanged, this, [this](Theme theme) {
        applyTheme(theme);
        m_actions->themes[static_cast<size_t>(theme)]->setChecked(true);
    });
}

void MainWindow::showTitle() {
    const QString subject = m_project->file().isEmpty() ? QFileInfo(m_session.modelFolder()).fileName() : m_project->name();
    const auto& progress = m_controller.record().progress();
    QString title = subject.isEmpty() ? tr("Calibench[*]") : tr("%1[*] – Calibench").arg(subject);
    if (m_controller.active() && progress) title = tr("%1 % – %2").arg(static_cast<int>(std::floor(100 * progress->fraction))).arg(title);
    setWindowTitle(title);
    setWindowModified(m_project->modified());
}

void MainWindow::openProject(const QString& file) { m_projects->open(file); }
void MainWindow::openModel(const QString& folder) { m_files->openModel(folder); }
void MainWindow::openData(const QString& file) { m_files->openData(file); }
void MainWindow::openRecipe(const QString& file) { m_files->openRecipe(file); }

void MainWindow::openDemo() {
    if (const QList<Demo> demos = bundledDemos(m_resources); !demos.isEmpty()) openDemoModel(demos.front().folder);
}

void MainWindow::openSample(const QString& recipeFile) { m_files->openSample(recipeFile); }

void MainWindow::openDemoModel(const QString& folder) {
    m_projects->askBeforeLosing([this, folder] {
        m_project->clear();
        m_files->openDemo(folder);
    });
}

void MainWindow::showPalette() {
    if (!m_palette) m_palette = new CommandPalette(this);
    m_palette->popUp(paletteEntries(*this, m_settings, m_resources));
}

void MainWindow::showSettings() {
    auto* dialog = new SettingsDialog(m_settings, this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->show();
}

RunConfig MainWindow::runConfig() const {
    RunConfig config = m_session.runConfig();
    const RunOptions options = m_settings.runOptions();
    config.threads = threadsFor(options, QThread::idealThreadCount());
    config.device = options.device.toStdString();
    config.dtype = options.dtype.toStdString();
    return config;
}

void MainWindow::startRun() { start(runConfig()); }

void MainWindow::startRerun() {
    if (!m_rerun->offer()) return;
    RunConfig config = runConfig();
    config.reuse = toPath(m_rerun->offer()->directory);
    start(std::move(config));
}

void MainWindow::start(RunConfig config) {
    if (m_controller.active() || !m_session.obstacle().isEmpty()) return;
    const QString name = QDateTime::currentDateTime().toString(QStringLiteral("yyyyMMdd-HHmmss-")) + QFileInfo(m_session.modelFolder()).fileName();
    const QDir workspace(m_settings.workspace());
    workspace.mkpath(QStringLiteral("."));
    QString folder = workspace.filePath(name);
    for (int n = 2; n < 100 && QFileInfo::exists(folder); ++n) folder = workspace.filePath(QStringLiteral("%1-%2").arg(name).arg(n));  // another window began in the same second
    if (!workspace.mkdir(folder)) {
        m_messages->post(Kind::Error, tr("The run directory %1 cannot be created. Is its disk full or read-only?").arg(folder));
        return;
    }
    config.run_dir = toPath(folder + QStringLiteral("/run"));
    config.output_dir = toPath(folder + QStringLiteral("/checkpoint"));
    m_controller.start(std::move(config), m_session.model());
}

bool MainWindow::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride && isActiveWindow() && m_actions->palette->shortcut() == QKeySequence(static_cast<QKeyEvent*>(event)->keyCombination())) {
        event->ignore();
        return true;
    }
    return QMainWindow::eventFilter(watched, event);
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (m_controller.active()) {
        event->ignore();
        if (!m_closeWhenEnded) askBeforeStopping();
        return;
    }
    if (m_project->modified() && !m_mayLoseChanges) {
        event->ignore();
        m_projects->askBeforeLosing([this] {
            m_mayLoseChanges = true;
            close();
        });
        return;
    }
    m_autosave->finish();
    m_settings.saveWindow(saveGeometry(), saveState());
    m_settings.setPlotTab(m_plots->currentTab());
    event->accept();
}

void MainWindow::askBeforeStopping() {
    auto* box = new QMessageBox(QMessageBox::Question, tr("A run is at work"), tr("Stop the run and close the window?"), QMessageBox::NoButton, this);
    box->setInformativeText(tr("Its journal and measurements are kept; nothing is exported."));
    box->setAttribute(Qt::WA_DeleteOnClose);
    QPushButton* stop = box->addButton(tr("Stop and close"), QMessageBox::AcceptRole);
    box->setDefaultButton(box->addButton(tr("Keep running"), QMessageBox::RejectRole));
    connect(stop, &QAbstractButton::clicked, this, [this] {
        m_closeWhenEnded = true;
        if (m_controller.active())
            m_controller.requestStop();
        else
            close();  // it ended while the question was open
    });
    box->open();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    const DroppedFiles dropped = sortDroppedFiles(event->mimeData()->urls());
    if (!dropped.project.isEmpty()) openProject(dropped.project);
    if (!dropped.model.isEmpty()) openModel(dropped.model);
    if (!dropped.dataset.isEmpty()) openData(dropped.dataset);
    if (!dropped.recipe.isEmpty()) openRecipe(dropped.recipe);
    if (!dropped.ignored.isEmpty()) m_messages->post(Kind::Warning, tr("Ignored: %1.").arg(dropped.ignored.join(QStringLiteral("; "))));
}

}  // namespace calibench
