#include "ui/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDateTime>
#include <QDir>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <cmath>

#include "ui/actions.h"
#include "ui/dialogs/about_dialog.h"
#include "ui/dialogs/preflight_dialog.h"
#include "ui/format.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/log_panel.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/plots_page.h"
#include "ui/panels/start_page.h"
#include "ui/project/file_commands.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/run_endings.h"
#include "ui/run_log.h"
#include "ui/theme.h"
#include "ui/window_menus.h"

namespace calibench {

using State = RunController::State;
using Kind = MessageBar::Kind;

MainWindow::MainWindow(CoreServices services, Settings& settings, const QString& resources, QWidget* parent)
    : QMainWindow(parent), m_settings(settings), m_session(services), m_controller(services.runCalibration),
      m_actions(new Actions(m_session, m_controller, this)), m_messages(new MessageBar), m_centre(new QStackedWidget),
      m_plots(new PlotsPage(m_session, m_controller)), m_modelPanel(new ModelPanel(m_session, m_controller)),
      m_dataPanel(new DataPanel(m_session)), m_recipePanel(new RecipePanel(m_session, resources + QStringLiteral("/recipes"))),
      m_files(new FileCommands(m_session, m_controller, *m_recipePanel, m_settings, *m_messages, resources, this)),
      m_endings(new RunEndings(m_session, m_controller, m_settings, *m_messages, this)) {
    setWindowIcon(QIcon(QStringLiteral(":/calibench/icons/calibench.svg")));
    setAcceptDrops(true);
    setDockOptions(AnimatedDocks | AllowTabbedDocks | AllowNestedDocks);

    makeCentre(QDir(resources).exists(QStringLiteral("demo/tiny-llama-shakespeare/config.json")));
    makeDocks();
    QList<QDockWidget*> docks;
    for (const Dock& dock : m_docks) docks << dock.widget;
    makeMenus(*this, *m_actions, m_settings, docks);
    makeToolBar(*this, *m_actions, m_controller);
    connectPanels();
    connectActions();
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

void MainWindow::makeCentre(bool hasDemo) {
    auto* start = new StartPage(m_settings, hasDemo);
    connect(start, &StartPage::openRequested, m_files, &FileCommands::chooseModel);
    connect(start, &StartPage::demoRequested, m_files, &FileCommands::openDemo);
    connect(start, &StartPage::modelRequested, m_files, &FileCommands::openModel);
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
    QDockWidget* log = addDock(QStringLiteral("log"), tr("Log"), logPanel, Qt::BottomDockWidgetArea);
    connect(&m_log, &LogModel::warningCountChanged, log, [log](int count) {
        log->setWindowTitle(count > 0 ? tr("Log: %n warning(s)", nullptr, count) : tr("Log"));
    });
    connect(logPanel, &LogPanel::moduleActivated, &m_session, &Session::selectModule);
}

void MainWindow::applyDefaultLayout() {
    const QSize screenSize = screen()->availableSize();
    resize((screenSize * 0.85).expandedTo({1280, 720}));
    for (const Dock& dock : m_docks) {
        dock.widget->setFloating(false);
        addDockWidget(dock.area, dock.widget);
        dock.widget->show();
    }
    // Half of the window for the plots; of the rest, the tree with its numbers needs more than the recipe.
    const auto dock = [this](const char* name) { return findChild<QDockWidget*>(QString::fromLatin1(name)); };
    resizeDocks({dock("model"), dock("recipe")}, {width() * 28 / 100, width() * 22 / 100}, Qt::Horizontal);
    resizeDocks({dock("data"), dock("recipe")}, {170, 420}, Qt::Vertical);
    resizeDocks({dock("log")}, {120}, Qt::Vertical);
}

void MainWindow::connectPanels() {
    connect(m_modelPanel, &ModelPanel::openRequested, m_files, &FileCommands::chooseModel);
    connect(m_modelPanel, &ModelPanel::blockSelected, m_plots, &PlotsPage::showBlock);
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
        if (m_session.modelState() == Session::ModelState::Ready) m_settings.addRecentModel(m_session.modelFolder());
        showTitle();
    });
    connect(&m_controller, &RunController::snapshotArrived, this, &MainWindow::showTitle);
    connect(&m_controller, &RunController::stateChanged, this, [this] {
        showTitle();
        if (m_closeWhenEnded && !m_controller.active()) close();
    });
}

void MainWindow::connectActions() {
    connect(m_actions->openModel, &QAction::triggered, m_files, &FileCommands::chooseModel);
    connect(m_actions->openData, &QAction::triggered, m_files, &FileCommands::chooseData);
    connect(m_actions->openRecipe, &QAction::triggered, m_files, &FileCommands::chooseRecipe);
    connect(m_actions->openDemo, &QAction::triggered, m_files, &FileCommands::openDemo);
    connect(m_actions->saveRecipe, &QAction::triggered, m_files, &FileCommands::saveRecipe);
    connect(m_actions->saveRecipeAs, &QAction::triggered, m_files, &FileCommands::saveRecipeAs);
    connect(m_actions->quit, &QAction::triggered, this, &QWidget::close);
    connect(m_actions->check, &QAction::triggered, this, [this] {
        auto* dialog = new PreflightDialog(m_session.services(), m_session.runConfig(), this);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->show();
    });
    connect(m_actions->run, &QAction::triggered, this, &MainWindow::startRun);
    connect(m_actions->pause, &QAction::triggered, this, [this] {
        m_controller.state() == State::Paused ? m_controller.requestResume() : m_controller.requestPause();
    });
    connect(m_actions->stop, &QAction::triggered, &m_controller, &RunController::requestStop);
    connect(m_actions->exportCheckpoint, &QAction::triggered, m_endings, &RunEndings::showExportDialog);
    connect(m_actions->openRunFolder, &QAction::triggered, m_endings, &RunEndings::openRunFolder);
    connect(m_actions->restoreLayout, &QAction::triggered, this, &MainWindow::applyDefaultLayout);
    connect(m_actions->about, &QAction::triggered, this, [this] { showAbout(this); });
    for (size_t i = 0; i < m_actions->themes.size(); ++i)
        connect(m_actions->themes[i], &QAction::triggered, this, [this, i] { m_settings.setTheme(static_cast<Theme>(i)); });
    connect(&m_settings, &Settings::themeChanged, this, &applyTheme);
}

void MainWindow::showTitle() {
    const QString model = QFileInfo(m_session.modelFolder()).fileName();
    const auto& progress = m_controller.record().progress();
    QString title = model.isEmpty() ? tr("Calibench") : tr("%1 – Calibench").arg(model);
    if (m_controller.active() && progress) title = tr("%1 % – %2").arg(static_cast<int>(std::floor(100 * progress->fraction))).arg(title);
    setWindowTitle(title);
}

void MainWindow::openModel(const QString& folder) { m_files->openModel(folder); }
void MainWindow::openData(const QString& file) { m_files->openData(file); }
void MainWindow::openRecipe(const QString& file) { m_files->openRecipe(file); }
void MainWindow::openDemo() { m_files->openDemo(); }

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
        if (m_recipeMayBeLost || (answer == QMessageBox::Save && m_files->saveRecipe())) QMetaObject::invokeMethod(this, &QWidget::close, Qt::QueuedConnection);
    });
    box->open();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    event->acceptProposedAction();
    m_files->openDropped(event->mimeData()->urls());
}

}  // namespace calibench
