#include "ui/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDateTime>
#include <QDesktopServices>
#include <QDir>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QStackedWidget>
#include <QToolBar>
#include <QToolButton>
#include <QUrl>
#include <QVBoxLayout>

#include <cmath>

#include "ui/actions.h"
#include "ui/dialogs/about_dialog.h"
#include "ui/dialogs/export_dialog.h"
#include "ui/dialogs/preflight_dialog.h"
#include "ui/dropped_files.h"
#include "ui/format.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/progress_line.h"
#include "ui/panels/recipe_panel.h"
#include "ui/panels/start_page.h"
#include "ui/run_log.h"
#include "ui/theme.h"

namespace calibench {

using State = RunController::State;
using Kind = MessageBar::Kind;

MainWindow::MainWindow(CoreServices services, Settings& settings, const QString& resources, QWidget* parent)
    : QMainWindow(parent), m_settings(settings), m_resources(resources), m_session(services), m_controller(services.runCalibration),
      m_actions(new Actions(m_session, m_controller, this)), m_messages(new MessageBar), m_centre(new QStackedWidget), m_plots(new PlotsPage(m_session, m_controller)) {
    setWindowIcon(QIcon(QStringLiteral(":/calibench/icons/calibench.svg")));
    setAcceptDrops(true);
    setDockOptions(AnimatedDocks | AllowTabbedDocks | AllowNestedDocks);

    const bool hasDemo = QDir(m_resources).exists(QStringLiteral("demo/tiny-llama-shakespeare/config.json"));
    auto* start = new StartPage(m_settings, hasDemo);
    connect(start, &StartPage::openRequested, this, &MainWindow::chooseModel);
    connect(start, &StartPage::demoRequested, this, &MainWindow::openDemo);
    connect(start, &StartPage::modelRequested, this, &MainWindow::openModel);
    m_actions->openDemo->setVisible(hasDemo);
    m_centre->addWidget(start);
    m_centre->addWidget(m_plots);
    auto* middle = new QWidget(this);
    auto* layout = new QVBoxLayout(middle);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_messages);
    layout->addWidget(m_centre, 1);
    setCentralWidget(middle);

    makeDocks();
    makeMenusAndToolBar();
    connectActions();
    connectRun();
    new RunLog(m_controller, m_log, this);

    m_session.setData(m_settings.data());
    applyDefaultLayout();
    if (const QByteArray geometry = m_settings.windowGeometry(); !geometry.isEmpty()) restoreGeometry(geometry);
    if (const QByteArray state = m_settings.windowState(); !state.isEmpty()) restoreState(state);
    m_plots->setCurrentTab(m_settings.plotTab());
    showTitle();
}

MainWindow::~MainWindow() {
    // Panels speak to the session when they lose the focus, and it is a member: they go first.
    qDeleteAll(findChildren<QWidget*>(Qt::FindDirectChildrenOnly));
}

void MainWindow::makeDocks() {
    m_modelPanel = new ModelPanel(m_session, m_controller);
    m_dataPanel = new DataPanel(m_session);
    m_recipePanel = new RecipePanel(m_session, m_resources + QStringLiteral("/recipes"));
    auto* logPanel = new LogPanel(m_log);
    const auto add = [this](const QString& name, const QString& title, QWidget* content) {
        auto* dock = new QDockWidget(title, this);
        dock->setObjectName(name);
        dock->setWidget(content);
        m_docks << dock;
        return dock;
    };
    add(QStringLiteral("model"), tr("Model"), m_modelPanel);
    add(QStringLiteral("data"), tr("Calibration text"), m_dataPanel);
    QDockWidget* recipe = add(QStringLiteral("recipe"), tr("Recipe"), m_recipePanel);
    connect(m_recipePanel, &RecipePanel::documentChanged, recipe, [this, recipe] {
        const QString name = m_recipePanel->file().isEmpty() ? tr("untitled") : QFileInfo(m_recipePanel->file()).fileName();
        recipe->setWindowTitle(m_recipePanel->modified() ? tr("Recipe: %1, not saved").arg(name) : tr("Recipe: %1").arg(name));
        recipe->setToolTip(m_recipePanel->file());
    });
    QDockWidget* log = add(QStringLiteral("log"), tr("Log"), logPanel);
    connect(&m_log, &LogModel::warningCountChanged, log, [log](int count) {
        log->setWindowTitle(count > 0 ? tr("Log: %n warning(s)", nullptr, count) : tr("Log"));
    });
    connect(logPanel, &LogPanel::moduleActivated, &m_session, &Session::selectModule);
    connect(m_modelPanel, &ModelPanel::openRequested, this, &MainWindow::chooseModel);
    connect(m_modelPanel, &ModelPanel::blockSelected, m_plots, &PlotsPage::showBlock);
    connect(m_dataPanel, &DataPanel::browseRequested, this, &MainWindow::chooseData);
    connect(m_recipePanel, &RecipePanel::openRequested, this, &MainWindow::chooseRecipe);
    connect(m_recipePanel, &RecipePanel::saveRequested, this, &MainWindow::saveRecipe);
    connect(&m_session, &Session::dataChanged, this, [this] { m_settings.setData(m_session.data()); });
    connect(&m_session, &Session::modelChanged, this, [this] {
        const bool start = m_session.modelState() == Session::ModelState::None;
        m_centre->setCurrentIndex(start ? 0 : 1);
        m_controller.clear(m_session.model());
        if (m_session.modelState() == Session::ModelState::Failed) m_messages->post(Kind::Error, m_session.modelError());
        if (m_session.modelState() == Session::ModelState::Ready) m_settings.addRecentModel(m_session.modelFolder());
        showTitle();
    });
}

void MainWindow::applyDefaultLayout() {
    const QSize screenSize = screen()->availableSize();
    resize((screenSize * 0.85).expandedTo({1280, 720}));
    const Qt::DockWidgetArea areas[] = {Qt::LeftDockWidgetArea, Qt::RightDockWidgetArea, Qt::RightDockWidgetArea, Qt::BottomDockWidgetArea};
    for (int i = 0; i < m_docks.size(); ++i) {
        m_docks[i]->setFloating(false);
        addDockWidget(areas[i], m_docks[i]);
        m_docks[i]->show();
    }
    // Half of the window for the plots; of the rest, the tree with its numbers needs more than the recipe.
    resizeDocks({m_docks[0], m_docks[2]}, {width() * 28 / 100, width() * 22 / 100}, Qt::Horizontal);
    resizeDocks({m_docks[1], m_docks[2]}, {170, 420}, Qt::Vertical);
    resizeDocks({m_docks[3]}, {120}, Qt::Vertical);
}

void MainWindow::makeMenusAndToolBar() {
    QMenu* file = menuBar()->addMenu(tr("&File"));
    file->addActions({m_actions->openModel, m_actions->openData, m_actions->openRecipe, m_actions->openDemo});
    QMenu* recent = file->addMenu(tr("Recent mo&dels"));
    connect(recent, &QMenu::aboutToShow, this, [this, recent] {
        recent->clear();
        for (const QString& path : m_settings.recentModels()) {
            QAction* action = recent->addAction(path, this, [this, path] { openModel(path); });
            action->setEnabled(QFileInfo::exists(path) && !m_controller.active());
        }
        if (recent->isEmpty()) recent->addAction(tr("None yet"))->setEnabled(false);
    });
    QMenu* recentRecipes = file->addMenu(tr("Recent re&cipes"));
    connect(recentRecipes, &QMenu::aboutToShow, this, [this, recentRecipes] {
        recentRecipes->clear();
        for (const QString& path : m_settings.recentRecipes())
            recentRecipes->addAction(path, this, [this, path] { openRecipe(path); })->setEnabled(QFileInfo::exists(path));
        if (recentRecipes->isEmpty()) recentRecipes->addAction(tr("None yet"))->setEnabled(false);
    });
    file->addSeparator();
    file->addActions({m_actions->saveRecipe, m_actions->saveRecipeAs});
    file->addSeparator();
    file->addAction(m_actions->quit);

    QMenu* run = menuBar()->addMenu(tr("&Run"));
    run->addActions({m_actions->check, m_actions->run, m_actions->pause, m_actions->stop});
    run->addSeparator();
    run->addActions({m_actions->exportCheckpoint, m_actions->openRunFolder});

    QMenu* view = menuBar()->addMenu(tr("&View"));
    for (QDockWidget* dock : m_docks) view->addAction(dock->toggleViewAction());
    view->addAction(m_actions->restoreLayout);
    view->addSeparator();
    QMenu* theme = view->addMenu(tr("&Theme"));
    for (QAction* action : m_actions->themes) theme->addAction(action);
    m_actions->themes[static_cast<size_t>(m_settings.theme())]->setChecked(true);

    menuBar()->addMenu(tr("&Help"))->addAction(m_actions->about);
    for (QMenu* menu : menuBar()->findChildren<QMenu*>()) menu->setToolTipsVisible(true);

    QToolBar* bar = addToolBar(tr("Run"));
    bar->setObjectName(QStringLiteral("toolbar"));
    bar->setMovable(false);
    bar->setIconSize({18, 18});
    bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    bar->addAction(m_actions->openModel);
    qobject_cast<QToolButton*>(bar->widgetForAction(m_actions->openModel))->setToolButtonStyle(Qt::ToolButtonIconOnly);
    bar->addSeparator();
    bar->addActions({m_actions->run, m_actions->pause, m_actions->stop, m_actions->exportCheckpoint});
    bar->addSeparator();
    auto* progress = new ProgressLine(m_controller);
    progress->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    bar->addWidget(progress);
}

void MainWindow::connectActions() {
    connect(m_actions->openModel, &QAction::triggered, this, &MainWindow::chooseModel);
    connect(m_actions->openData, &QAction::triggered, this, &MainWindow::chooseData);
    connect(m_actions->openRecipe, &QAction::triggered, this, &MainWindow::chooseRecipe);
    connect(m_actions->openDemo, &QAction::triggered, this, &MainWindow::openDemo);
    connect(m_actions->saveRecipe, &QAction::triggered, this, &MainWindow::saveRecipe);
    connect(m_actions->saveRecipeAs, &QAction::triggered, this, &MainWindow::saveRecipeAs);
    connect(m_actions->quit, &QAction::triggered, this, &QWidget::close);
    connect(m_actions->check, &QAction::triggered, this, [this] {
        auto* dialog = new PreflightDialog(m_session.services(), m_session.runConfig(), this);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->show();
    });
    connect(m_actions->run, &QAction::triggered, this, &MainWindow::startRun);
    connect(m_plots, &PlotsPage::runRequested, this, &MainWindow::startRun);
    connect(m_actions->pause, &QAction::triggered, this, [this] {
        m_controller.state() == State::Paused ? m_controller.requestResume() : m_controller.requestPause();
    });
    connect(m_actions->stop, &QAction::triggered, &m_controller, &RunController::requestStop);
    connect(m_actions->exportCheckpoint, &QAction::triggered, this, &MainWindow::showExportDialog);
    connect(m_actions->openRunFolder, &QAction::triggered, this, &MainWindow::openRunFolder);
    connect(m_actions->restoreLayout, &QAction::triggered, this, &MainWindow::applyDefaultLayout);
    connect(m_actions->about, &QAction::triggered, this, [this] { showAbout(this); });
    for (size_t i = 0; i < m_actions->themes.size(); ++i)
        connect(m_actions->themes[i], &QAction::triggered, this, [this, i] { m_settings.setTheme(static_cast<Theme>(i)); });
    connect(&m_settings, &Settings::themeChanged, this, &applyTheme);
}

void MainWindow::connectRun() {
    connect(&m_controller, &RunController::runStarted, m_messages, &MessageBar::dismiss);
    connect(&m_controller, &RunController::runFinished, this, &MainWindow::showEnding);
    connect(&m_controller, &RunController::runStopped, this, [this] {
        m_messages->post(Kind::Info, tr("Stopped. What was measured stays on screen; nothing was exported."), tr("Run again"), [this] { startRun(); });
    });
    connect(&m_controller, &RunController::runFailed, this, [this](const QString& message) {
        m_messages->post(Kind::Error, message, tr("Run again"), [this] { startRun(); });
    });
    connect(&m_controller, &RunController::snapshotArrived, this, &MainWindow::showTitle);
    connect(&m_controller, &RunController::stateChanged, this, [this] {
        showTitle();
        if (m_closeWhenEnded && !m_controller.active()) close();
    });
}

void MainWindow::showTitle() {
    const QString model = QFileInfo(m_session.modelFolder()).fileName();
    const auto& progress = m_controller.record().progress();
    QString title = model.isEmpty() ? tr("Calibench") : tr("%1 – Calibench").arg(model);
    if (m_controller.active() && progress) title = tr("%1 % – %2").arg(static_cast<int>(std::floor(100 * progress->fraction))).arg(title);
    setWindowTitle(title);
}

void MainWindow::openModel(const QString& folder) {
    if (m_controller.active()) {
        m_messages->post(Kind::Warning, tr("Stop the run before opening another model."));
        return;
    }
    m_messages->dismiss();
    m_session.openModel(folder);
}

void MainWindow::openData(const QString& file) {
    DataSettings data = m_session.data();
    data.file = QFileInfo(file).absoluteFilePath();
    m_session.setData(data);
}

void MainWindow::openRecipe(const QString& file) {
    if (const QString error = m_recipePanel->open(file); !error.isEmpty())
        m_messages->post(Kind::Error, error);
    else
        m_settings.addRecentRecipe(file);
}

void MainWindow::openDemo() {
    const QDir demo(m_resources + QStringLiteral("/demo"));
    openModel(demo.filePath(QStringLiteral("tiny-llama-shakespeare")));
    openRecipe(QDir(m_resources).filePath(QStringLiteral("recipes/autoround_w4a16_g64.yaml")));
    m_session.setData({.file = demo.absoluteFilePath(QStringLiteral("shakespeare.txt")), .numSamples = 64, .seqLen = 256, .iters = 50});
}

void MainWindow::startRun() {
    if (m_controller.active() || !m_session.obstacle().isEmpty()) return;
    const QString name = QDateTime::currentDateTime().toString(QStringLiteral("yyyyMMdd-HHmmss-")) + QFileInfo(m_session.modelFolder()).fileName();
    const QString folder = m_settings.workspace() + QLatin1Char('/') + name;
    if (!QDir().mkpath(folder)) {
        m_messages->post(Kind::Error, tr("The run directory %1 cannot be created. Is its disk full or read-only?").arg(folder));
        return;
    }
    RunConfig config = m_session.runConfig();
    config.run_dir = toPath(folder + QStringLiteral("/run"));
    config.output_dir = toPath(folder + QStringLiteral("/checkpoint"));
    m_controller.start(std::move(config), m_session.model());
}

void MainWindow::showEnding(const RunSummary& summary) {
    QString text = tr("Finished in %1: %n module(s) quantized", nullptr, static_cast<int>(summary.num_quantized_modules)).arg(formatDuration(summary.seconds));
    if (const QString change = lossChange(summary.mean_initial_loss_mse, summary.mean_best_loss_mse); !change.isEmpty())
        text += tr(", mean loss %1 → %2 (%3)").arg(formatNumber(summary.mean_initial_loss_mse), formatNumber(summary.mean_best_loss_mse), change);
    if (summary.output_bytes > 0) text += tr(", checkpoint %1").arg(formatBytes(static_cast<double>(summary.output_bytes)));
    m_messages->post(Kind::Success, text + QLatin1Char('.'), tr("Export…"), [this] { showExportDialog(); });
}

void MainWindow::showExportDialog() {
    if (!m_controller.summary()) return;
    const QString name = QFileInfo(m_session.modelFolder()).fileName() + QStringLiteral("-quantized");
    auto* dialog = new ExportDialog(m_controller.summary()->output_dir, name, m_settings, this);
    connect(dialog, &ExportDialog::exported, this, [this](const QString& folder) {
        m_messages->post(Kind::Success, tr("Exported to %1").arg(folder), tr("Open folder"), [folder] { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
    });
    dialog->show();
}

void MainWindow::openRunFolder() { QDesktopServices::openUrl(QUrl::fromLocalFile(toText(m_controller.config().run_dir))); }

void MainWindow::chooseModel() {
    if (m_controller.active()) return;
    const QString folder = QFileDialog::getExistingDirectory(this, tr("Open model"), m_settings.recentModels().value(0));
    if (!folder.isEmpty()) openModel(folder);
}

void MainWindow::chooseData() {
    const QString file = QFileDialog::getOpenFileName(this, tr("Open calibration text"), m_session.data().file, tr("Text (*.txt *.text *.md *.jsonl *.json);;All files (*)"));
    if (!file.isEmpty()) openData(file);
}

void MainWindow::chooseRecipe() {
    const QString file = QFileDialog::getOpenFileName(this, tr("Open recipe"), m_recipePanel->file(), tr("Recipes (*.yaml *.yml);;All files (*)"));
    if (!file.isEmpty()) openRecipe(file);
}

bool MainWindow::saveRecipe() { return m_recipePanel->file().isEmpty() ? saveRecipeAs() : saveRecipeTo(m_recipePanel->file()); }

bool MainWindow::saveRecipeAs() {
    const QString suggestion = m_recipePanel->file().isEmpty() ? QStringLiteral("recipe.yaml") : m_recipePanel->file();
    const QString file = QFileDialog::getSaveFileName(this, tr("Save recipe"), suggestion, tr("Recipes (*.yaml *.yml)"));
    return !file.isEmpty() && saveRecipeTo(file);
}

bool MainWindow::saveRecipeTo(const QString& file) {
    const bool rewritten = m_recipePanel->rewriteOlderSpelling();
    if (const QString error = m_recipePanel->saveTo(file); !error.isEmpty()) {
        m_messages->post(Kind::Error, error);
        return false;
    }
    m_settings.addRecentRecipe(file);
    if (rewritten) m_messages->post(Kind::Info, tr("Saved in the form that llm-compressor reads. Undo brings your own text back."));
    return true;
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (m_controller.active()) {
        event->ignore();
        if (!m_closeWhenEnded) askBeforeStopping();
        return;
    }
    if (m_recipePanel->modified() && !m_recipeMayBeLost) {
        event->ignore();
        askBeforeLosingRecipe();
        return;
    }
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

void MainWindow::askBeforeLosingRecipe() {
    auto* box = new QMessageBox(QMessageBox::Question, tr("The recipe is not saved"), tr("Save the changes to the recipe?"),
                                QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel, this);
    box->setAttribute(Qt::WA_DeleteOnClose);
    connect(box, &QMessageBox::buttonClicked, this, [this, box](QAbstractButton* button) {
        const auto answer = box->standardButton(button);
        m_recipeMayBeLost = answer == QMessageBox::Discard;
        if (m_recipeMayBeLost || (answer == QMessageBox::Save && saveRecipe())) QMetaObject::invokeMethod(this, &QWidget::close, Qt::QueuedConnection);
    });
    box->open();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    const DroppedFiles dropped = sortDroppedFiles(event->mimeData()->urls());
    if (!dropped.model.isEmpty()) openModel(dropped.model);
    if (!dropped.dataset.isEmpty()) openData(dropped.dataset);
    if (!dropped.recipe.isEmpty()) openRecipe(dropped.recipe);
    if (!dropped.ignored.isEmpty()) m_messages->post(Kind::Warning, tr("Ignored: %1.").arg(dropped.ignored.join(QStringLiteral("; "))));
}

}  // namespace calibench
