#include "ui/actions.h"

#include <QActionGroup>

#include "ui/command.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

using State = RunController::State;

Actions::Actions(const Session& session, const RunController& controller, QObject* parent)
    : QObject(parent), m_session(session), m_controller(controller) {
    const auto make = [this](const QString& icon, const QString& text, const QKeySequence& shortcut, const QString& help) {
        return makeCommand({icon, text, shortcut, help}, this);
    };
    newProject = make({}, tr("&New project"), QKeySequence::New, tr("Begin with nothing open"));
    openProject = make(QStringLiteral("open"), tr("Open &project…"), tr("Ctrl+Shift+O"), tr("Open a project: its model, texts, recipe, runs and layout"));
    saveProject = make(QStringLiteral("save"), tr("&Save project"), QKeySequence::Save, tr("Save the project, and the recipe's own file when it has one"));
    saveProjectAs = make({}, tr("Save project &as…"), QKeySequence::SaveAs, tr("Save the project under another name"));
    openModel = make(QStringLiteral("model"), tr("Open &model…"), QKeySequence::Open, tr("Open a Hugging Face model directory"));
    openData = make(QStringLiteral("data"), tr("Open &text…"), tr("Ctrl+T"), tr("Choose the text or JSONL file to calibrate with"));
    openRecipe = make(QStringLiteral("recipe"), tr("Open &recipe…"), tr("Ctrl+R"), tr("Open an llm-compressor recipe (YAML)"));
    openDemo = make({}, tr("Open the &demo"), {}, tr("A small Llama trained on Shakespeare, with text and recipe"));
    saveRecipe = make({}, tr("Save rec&ipe"), {}, tr("Save the recipe in its own file; a recipe without one is saved with the project"));
    saveRecipeAs = make({}, tr("Save recipe as…"), {}, tr("Save the recipe in a file of its own, for llm-compressor or another project"));
    quit = make({}, tr("&Quit"), QKeySequence::Quit, tr("Close the window"));
    run = make(QStringLiteral("run"), tr("&Run"), Qt::Key_F5, tr("Calibrate and quantize the model as the recipe says"));
    rerun = make({}, tr("Run &only what changed"), tr("Ctrl+F5"), {});
    check = make({}, tr("&Check before running…"), Qt::Key_F7, tr("What would go wrong, in the run or later in vLLM, and what to expect"));
    continueRun = make(QStringLiteral("run"), tr("&Continue"), tr("Shift+F5"), tr("Go on with the run on screen behind its last finished block"));
    pause = make(QStringLiteral("pause"), tr("&Pause"), tr("Ctrl+P"), tr("Hold the run where it is; Resume goes on from there"));
    stop = make(QStringLiteral("stop"), tr("S&top"), Qt::Key_Escape, tr("End the run; what was measured stays on screen"));
    exportCheckpoint = make(QStringLiteral("export"), tr("&Export…"), tr("Ctrl+E"), tr("Copy the quantized checkpoint to a folder of your own"));
    openRunFolder = make({}, tr("Open run &folder"), {}, tr("Show the folder with this run's journal and results"));
    savePicture = make(QStringLiteral("picture"), tr("Save plot as p&icture…"), {}, tr("Save the plot in sight as PNG or SVG"));
    saveNumbers = make({}, tr("Save plot as &numbers…"), {}, tr("Save all that the plot in sight shows as comma-separated values"));
    saveReport = make({}, tr("Save run repor&t…"), {}, tr("Save the run on screen with its plots as one page of HTML or as PDF"));
    restoreLayout = make({}, tr("Restore default &layout"), {}, tr("Put all panels back where they were at first"));
    palette = make(QStringLiteral("search"), tr("&Command palette…"), tr("Ctrl+K"), tr("Find any command, module or recent file by a few letters of its name"));
    settings = make({}, tr("&Settings…"), tr("Ctrl+,"), tr("Threads, device, folders, theme, autosave and notifications"));
    about = make(QStringLiteral("info"), tr("&About Calibench"), {}, tr("Version, licence and libraries"));

    auto* group = new QActionGroup(this);
    const QString names[] = {tr("&System"), tr("&Light"), tr("&Dark")};
    for (size_t i = 0; i < themes.size(); ++i) {
        themes[i] = make({}, names[i], {}, tr("Colours of the window"));
        themes[i]->setCheckable(true);
        group->addAction(themes[i]);
    }
    connect(&m_session, &Session::readinessChanged, this, &Actions::update);
    connect(&m_controller, &RunController::stateChanged, this, &Actions::update);
    update();
}

void Actions::offerRerun(const QString& text, const QString& help, const QString& obstacle) {
    rerun->setText(text);
    setHelp(rerun, help);
    allow(rerun, obstacle);
}

void Actions::update() {
    const State state = m_controller.state();
    const bool active = m_controller.active();
    const QString noRun = tr("No run is at work.");
    const QString busy = tr("A run is at work.");
    allow(run, active ? busy : m_session.obstacle());
    allow(continueRun, active ? busy : m_controller.canContinue() ? QString() : tr("There is no unfinished run on screen."));
    allow(check, active ? busy : m_session.modelState() == Session::ModelState::Ready ? QString() : tr("Open a model first."));
    allow(pause, state == State::Running || state == State::Paused ? QString() : noRun);
    pause->setText(state == State::Paused ? tr("Res&ume") : tr("&Pause"));
    pause->setIcon(symbolicIcon(state == State::Paused ? QStringLiteral("run") : QStringLiteral("pause")));
    allow(stop, state == State::Stopping ? tr("The run is being stopped.") : active ? QString() : noRun);
    allow(exportCheckpoint, state == State::Done && m_controller.summary() && !m_controller.summary()->output_dir.empty()
                                ? QString()
                                : tr("There is something to export when a run has finished."));
    allow(saveReport, m_controller.config().run_dir.empty() ? tr("Nothing has run yet.") : QString());
    allow(openRunFolder, m_controller.config().run_dir.empty() ? tr("Nothing has run yet.") : QString());
    // What a run reads must not change under it; what is on screen belongs to it.
    for (QAction* action : {newProject, openProject, openModel, openDemo}) allow(action, active ? busy : QString());
}

}  // namespace calibench
