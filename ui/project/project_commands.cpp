#include "ui/project/project_commands.h"

#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QLocale>
#include <QMessageBox>

#include <utility>

#include "core/base/error.h"
#include "ui/panels/message_bar.h"
#include "ui/project/file_commands.h"
#include "ui/project/project_document.h"
#include "ui/run_controller.h"
#include "ui/settings.h"

namespace calibench {

using Kind = MessageBar::Kind;

namespace {

const QString Suffix = QStringLiteral(".calibench");

}  // namespace

ProjectCommands::ProjectCommands(ProjectDocument& document, FileCommands& files, const RunController& controller, Settings& settings,
                                 MessageBar& messages, QWidget* window)
    : QObject(window), m_document(document), m_files(files), m_controller(controller), m_settings(settings), m_messages(messages), m_window(window) {
    connect(&m_document, &ProjectDocument::problem, this, [this](const QString& sentence) { m_messages.post(Kind::Warning, sentence); });
}

void ProjectCommands::createNew() {
    if (refuseDuringRun(tr("Stop the run before beginning a new project."))) return;
    askBeforeLosing([this] {
        m_messages.dismiss();
        m_document.clear();
    });
}

void ProjectCommands::choose() {
    if (m_controller.active()) return;
    const QString folder = m_document.file().isEmpty() ? QFileInfo(m_settings.recent(Settings::Recent::Projects).value(0)).path() : QFileInfo(m_document.file()).path();
    const QString file = QFileDialog::getOpenFileName(m_window, tr("Open project"), folder, tr("Calibench projects (*%1);;All files (*)").arg(Suffix));
    if (!file.isEmpty()) open(file);
}

void ProjectCommands::open(const QString& file) {
    if (refuseDuringRun(tr("Stop the run before opening another project."))) return;
    askBeforeLosing([this, file] {
        m_messages.dismiss();
        try {
            m_document.open(file);
            m_settings.addRecent(Settings::Recent::Projects, file);
        } catch (const Error& error) {
            m_messages.post(Kind::Error, QString::fromUtf8(error.what()));
        }
    });
}

bool ProjectCommands::save() { return m_document.file().isEmpty() ? saveAs() : saveTo(m_document.file()); }

bool ProjectCommands::saveAs() {
    const QString folder = QFileInfo(m_settings.recent(Settings::Recent::Projects).value(0, QDir::homePath() + QStringLiteral("/x"))).path();
    const QString model = QFileInfo(m_document.current().model).fileName();
    const QString suggestion = m_document.file().isEmpty() ? folder + QLatin1Char('/') + (model.isEmpty() ? tr("project") : model) + Suffix : m_document.file();
    QString file = QFileDialog::getSaveFileName(m_window, tr("Save project"), suggestion, tr("Calibench projects (*%1)").arg(Suffix));
    if (file.isEmpty()) return false;
    if (QFileInfo(file).suffix().isEmpty()) file += Suffix;
    return saveTo(file);
}

bool ProjectCommands::saveTo(const QString& file) {
    const ProjectRecipe recipe = m_document.current().recipe;
    if (!recipe.file.isEmpty() && !recipe.text.isEmpty() && !m_files.saveRecipe()) return false;
    try {
        m_document.save(file);
    } catch (const Error& error) {
        m_messages.post(Kind::Error, QString::fromUtf8(error.what()));
        return false;
    }
    m_settings.addRecent(Settings::Recent::Projects, file);
    return true;
}

void ProjectCommands::askBeforeLosing(std::function<void()> then) {
    if (!m_document.modified()) return then();
    delete m_question;  // a second question takes the place of the first
    m_question = new QMessageBox(QMessageBox::Question, tr("The project is not saved"),
                                 m_document.file().isEmpty() ? tr("Save this recipe in a project?") : tr("Save the changes to %1?").arg(m_document.name()),
                                 QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel, m_window);
    m_question->setInformativeText(tr("They are lost otherwise."));
    m_question->setDefaultButton(QMessageBox::Save);
    connect(m_question, &QMessageBox::finished, this, [this, then = std::move(then)](int answer) {
        std::exchange(m_question, nullptr)->deleteLater();
        if (answer == QMessageBox::Discard || (answer == QMessageBox::Save && save())) QMetaObject::invokeMethod(this, then, Qt::QueuedConnection);
    });
    m_question->open();
}

void ProjectCommands::offerRestore() {
    m_left = RecoveryFile::findLeft(m_settings.recoveryFolder());
    if (!m_left) return;
    const Project& project = m_left->project();
    const QString name = !project.recovers.isEmpty() ? QFileInfo(project.recovers).completeBaseName()
                         : !project.model.isEmpty()  ? QFileInfo(project.model).fileName()
                                                     : tr("an untitled project");
    m_messages.post(Kind::Warning,
                    tr("Calibench was not closed properly. Its unsaved work on %1 of %2 was kept.")
                        .arg(name, QLocale().toString(m_left->saved(), QLocale::ShortFormat)),
                    {{tr("Restore"), [this] { restore(); }}, {tr("Discard"), [this] {
                                                                  m_messages.dismiss();
                                                                  m_left->discard();
                                                                  offerRestore();
                                                              }}});
}

void ProjectCommands::restore() {
    if (refuseDuringRun(tr("Stop the run before restoring another project.")) || !m_left) return;
    askBeforeLosing([this] {
        m_messages.dismiss();
        m_document.restore(m_left->project());
        m_left->discard();
        m_left.reset();
        Q_EMIT restored();
    });
}

bool ProjectCommands::refuseDuringRun(const QString& sentence) {
    if (m_controller.active()) m_messages.post(Kind::Warning, sentence);
    return m_controller.active();
}

}  // namespace calibench
