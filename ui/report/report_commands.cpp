#include "ui/report/report_commands.h"

#include <QWidget>

#include "ui/actions.h"
#include "ui/report/file_saver.h"
#include "ui/report/report_pdf.h"
#include "ui/report/run_name.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

ReportCommands::ReportCommands(Actions& actions, FileSaver& saver, const Session& session, const RunController& controller, QWidget* window)
    : QObject(window), m_saver(saver), m_session(session), m_controller(controller) {
    connect(actions.saveReport, &QAction::triggered, this, &ReportCommands::saveShown);
}

void ReportCommands::saveShown() {
    if (const auto& runDir = m_controller.config().run_dir; !runDir.empty()) save({runDir});
}

void ReportCommands::save(const std::vector<std::filesystem::path>& runDirs) {
    if (runDirs.empty()) return;
    const QString name = runDirs.size() == 1 ? runName(runDirs.front()) : tr("comparison of %1").arg(runName(runDirs.front()));
    enum Kind : size_t { Html, Pdf };
    m_saver.ask({.title = runDirs.size() == 1 ? tr("Save run report") : tr("Save comparison"), .name = name,
                 .kinds = {{tr("HTML page (*.html)"), QStringLiteral("html")}, {tr("PDF document (*.pdf)"), QStringLiteral("pdf")}}, .remark = {},
                 .prepare = [services = m_session.services(), runDirs](size_t kind) -> FileSaver::Work {
                     return [services, runDirs, kind] {
                         const Report report = services.reportOnRuns(runDirs);
                         return kind == Html ? QByteArray::fromStdString(services.reportHtml(report)) : pdfOf(report);
                     };
                 }});
}

}  // namespace calibench
