#include "ui/project/file_commands.h"

#include <QDir>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>

#include <utility>

#include "ui/panels/message_bar.h"
#include "ui/project/samples.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

using Kind = MessageBar::Kind;

FileCommands::FileCommands(Session& session, const RunController& controller, RecipePanel& recipe, Settings& settings, MessageBar& messages,
                           QString resources, QWidget* window)
    : QObject(window), m_session(session), m_controller(controller), m_recipe(recipe), m_settings(settings), m_messages(messages),
      m_resources(std::move(resources)), m_window(window) {}

void FileCommands::openModel(const QString& folder) {
    if (m_controller.active()) {
        m_messages.post(Kind::Warning, tr("Stop the run before opening another model."));
        return;
    }
    m_messages.dismiss();
    m_session.openModel(folder);
}

void FileCommands::openData(const QString& file) {
    DataSettings data = m_session.data();
    data.file = QFileInfo(file).absoluteFilePath();
    m_session.setData(data);
}

void FileCommands::openRecipe(const QString& file) {
    if (const QString error = m_recipe.open(file); !error.isEmpty())
        m_messages.post(Kind::Error, error);
    else
        m_settings.addRecent(Settings::Recent::Recipes, file);
}

void FileCommands::openDemo(const QString& folder) {
    const QDir demo(m_resources + QStringLiteral("/demo"));
    openModel(demo.filePath(folder));
    setSampleRecipe(QDir(m_resources).filePath(QStringLiteral("recipes/autoround_w4a16_g64.yaml")));
    m_session.setData({.file = demo.absoluteFilePath(QStringLiteral("shakespeare.txt")), .numSamples = 64, .seqLen = 256, .iters = 50});
}

void FileCommands::openSample(const QString& recipeFile) {
    const QList<Demo> demos = bundledDemos(m_resources);
    if (m_session.modelState() == Session::ModelState::None && !demos.isEmpty()) openDemo(demos.front().folder);
    setSampleRecipe(recipeFile);
}

void FileCommands::setSampleRecipe(const QString& recipeFile) {
    QFile file(recipeFile);
    if (file.open(QIODevice::ReadOnly))
        m_recipe.setDocument(QString::fromUtf8(file.readAll()), {});
    else
        m_messages.post(Kind::Error, tr("%1 cannot be read: %2.").arg(recipeFile, file.errorString()));
}

void FileCommands::chooseModel() {
    if (m_controller.active()) return;
    const QString folder = QFileDialog::getExistingDirectory(m_window, tr("Open model"), m_settings.recent(Settings::Recent::Models).value(0));
    if (!folder.isEmpty()) openModel(folder);
}

void FileCommands::chooseData() {
    const QString file = QFileDialog::getOpenFileName(m_window, tr("Open calibration text"), m_session.data().file,
                                                      tr("Text (*.txt *.text *.md *.jsonl *.json);;All files (*)"));
    if (!file.isEmpty()) openData(file);
}

void FileCommands::chooseRecipe() {
    const QString file = QFileDialog::getOpenFileName(m_window, tr("Open recipe"), m_recipe.file(), tr("Recipes (*.yaml *.yml);;All files (*)"));
    if (!file.isEmpty()) openRecipe(file);
}

bool FileCommands::saveRecipe() { return m_recipe.file().isEmpty() ? saveRecipeAs() : saveRecipeTo(m_recipe.file()); }

bool FileCommands::saveRecipeAs() {
    const QString suggestion = m_recipe.file().isEmpty() ? QStringLiteral("recipe.yaml") : m_recipe.file();
    const QString file = QFileDialog::getSaveFileName(m_window, tr("Save recipe"), suggestion, tr("Recipes (*.yaml *.yml)"));
    return !file.isEmpty() && saveRecipeTo(file);
}

bool FileCommands::saveRecipeTo(const QString& file) {
    const bool rewritten = m_recipe.rewriteOlderSpelling();
    if (const QString error = m_recipe.saveTo(file); !error.isEmpty()) {
        m_messages.post(Kind::Error, error);
        return false;
    }
    m_settings.addRecent(Settings::Recent::Recipes, file);
    if (rewritten) m_messages.post(Kind::Info, tr("Saved in the form that llm-compressor reads. Undo brings your own text back."));
    return true;
}

}  // namespace calibench
