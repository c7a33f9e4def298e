#include "ui/project/project_document.h"

#include <QFile>
#include <QFileInfo>
#include <QTextDocument>

#include <utility>

#include "core/base/error.h"
#include "ui/background.h"
#include "ui/format.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

ProjectDocument::ProjectDocument(Session& session, RecipePanel& recipe, RunController& controller, LayoutOfWindow layout, QObject* parent)
    : QObject(parent), m_session(session), m_recipe(recipe), m_controller(controller), m_layout(std::move(layout)) {
    connect(&m_session, &Session::dataChanged, this, &ProjectDocument::changed);
    connect(&m_session, &Session::modelChanged, this, &ProjectDocument::changed);
    connect(&m_session, &Session::modelChanged, this, &ProjectDocument::showPendingRun);
    connect(&m_recipe, &RecipePanel::documentChanged, this, &ProjectDocument::changed);
    connect(m_recipe.editor(), &QPlainTextEdit::textChanged, this, &ProjectDocument::changed);
    connect(&m_controller, &RunController::runStarted, this, &ProjectDocument::noteRun);
}

QString ProjectDocument::name() const { return QFileInfo(m_file).completeBaseName(); }

Project ProjectDocument::current() const {
    Project project = content();
    project.layout = m_layout.get();
    return project;
}

Project ProjectDocument::content() const {
    const bool inside = m_recipe.file().isEmpty();
    return {.model = m_session.modelFolder(), .datasets = m_session.datasets(),
            .recipe = {.file = m_recipe.file(), .text = inside || m_recipe.modified() ? m_recipe.editor()->text() : QString()},
            .runs = m_runs};
}

bool ProjectDocument::modified() const {
    if (m_applying) return false;
    return m_file.isEmpty() ? m_recipe.modified() : content() != m_saved;
}

bool ProjectDocument::worthKeeping() const { return m_file.isEmpty() ? m_recipe.modified() || !m_session.modelFolder().isEmpty() : modified(); }

void ProjectDocument::open(const QString& file) {
    const QString absolute = QFileInfo(file).absoluteFilePath();
    const Project project = loadProject(absolute);
    m_file = absolute;
    apply(project);
    m_saved = content();
    Q_EMIT changed();
}

void ProjectDocument::save(const QString& file) {
    const QString absolute = QFileInfo(file).absoluteFilePath();
    m_recipe.editor()->document()->setModified(false);
    saveProject(current(), absolute);
    m_file = absolute;
    m_saved = content();
    Q_EMIT changed();
}

void ProjectDocument::restore(const Project& project) {
    m_saved = {};
    m_file = project.recovers;
    try {
        if (!m_file.isEmpty()) m_saved = loadProject(m_file);
    } catch (const Error&) {
        m_file.clear();  // it is gone: what was restored is all there is of it
    }
    m_saved.layout = {};
    apply(project);
    // What was restored is in no file yet, whether it was typed or not.
    if (project.recipe.file.isEmpty() && !project.recipe.text.isEmpty()) m_recipe.editor()->document()->setModified(true);
    Q_EMIT changed();
}

void ProjectDocument::clear() {
    m_file.clear();
    m_saved = {};
    apply({});
    Q_EMIT changed();
}

void ProjectDocument::apply(const Project& project) {
    m_applying = true;
    m_runs = project.runs;
    m_pendingRun = project.runs.value(project.runs.size() - 1);
    if (project.datasets != m_session.datasets()) m_session.setDatasets(project.datasets);
    applyRecipe(project.recipe);
    if (project.model.isEmpty())
        m_session.closeModel();
    else
        m_session.openModel(project.model);
    if (!project.layout.window.isEmpty()) m_layout.set(project.layout);
    m_applying = false;
}

void ProjectDocument::applyRecipe(const ProjectRecipe& recipe) {
    constexpr qint64 MaxBytes = 1 << 20;  // as much as the recipe's parser takes
    QString text;
    if (!recipe.file.isEmpty()) {
        QFile file(recipe.file);
        if (!QFileInfo(recipe.file).isFile() || file.size() > MaxBytes || !file.open(QIODevice::ReadOnly))
            Q_EMIT problem(tr("The project's recipe %1 cannot be read. Open another one, or put it back and open the project again.").arg(recipe.file));
        else
            text = QString::fromUtf8(file.readAll());
    }
    m_recipe.setDocument(recipe.text.isEmpty() ? text : recipe.text, recipe.file);
    QTextDocument* document = m_recipe.editor()->document();
    document->clearUndoRedoStacks();  // Undo must not bring back another project's recipe
    document->setModified(!recipe.file.isEmpty() && !recipe.text.isEmpty());
}

void ProjectDocument::noteRun() {
    const QString directory = toText(m_controller.config().run_dir);
    m_pendingRun.clear();
    if (!directory.isEmpty() && !m_runs.contains(directory)) setRuns(m_runs + QStringList{directory});
}

void ProjectDocument::forgetRun(const QString& runDirectory) {
    QStringList runs = m_runs;
    if (runs.removeAll(runDirectory) > 0) setRuns(runs);
}

void ProjectDocument::setRuns(const QStringList& runs) {
    const bool wasSaved = !m_file.isEmpty() && !modified();
    m_runs = runs;
    try {
        if (wasSaved) save(m_file);  // that it ran, or is gone, is a fact, not an edit to be asked about
    } catch (const Error& error) {
        Q_EMIT problem(QString::fromUtf8(error.what()));
    }
    Q_EMIT changed();
}

void ProjectDocument::showPendingRun() {
    if (m_session.modelState() != Session::ModelState::Ready || m_pendingRun.isEmpty()) return;
    const QString run = std::exchange(m_pendingRun, {});
    if (QFileInfo::exists(run)) showRun(run);
}

void ProjectDocument::showRun(const QString& runDirectory, const QString& model) {
    if (m_session.modelState() == Session::ModelState::Ready && QFileInfo(model) == QFileInfo(m_session.modelFolder())) return showRun(runDirectory);
    m_pendingRun = runDirectory;
    m_session.openModel(model);
}

void ProjectDocument::showRun(const QString& runDirectory) {
    const auto read = [readRun = m_session.services().readRun, path = toPath(runDirectory), model = m_session.model()] { return replay(readRun(path), model); };
    runInBackground(this, read, [this, model = m_session.modelFolder()](Outcome<RunReplay> outcome) {
        if (!outcome.value) {
            Q_EMIT problem(outcome.error);
        } else if (model == m_session.modelFolder() && !m_controller.active()) {
            m_controller.show(std::move(*outcome.value));
            Q_EMIT runShown();
        }
    });
}

}  // namespace calibench
