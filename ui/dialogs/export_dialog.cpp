#include "ui/dialogs/export_dialog.h"

#include <QDesktopServices>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QStorageInfo>
#include <QUrl>
#include <QVBoxLayout>

#include <atomic>
#include <chrono>

#include "ui/background.h"
#include "ui/checkpoint_export.h"
#include "ui/format.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

using namespace std::chrono_literals;

/// Shared with the copying thread.
struct ExportDialog::Job {
    std::atomic<int64_t> done{0};
    std::atomic<bool> cancelled{false};
};

ExportDialog::ExportDialog(std::filesystem::path checkpoint, const QString& suggestedName, Settings& settings, QWidget* parent)
    : QDialog(parent), m_checkpoint(std::move(checkpoint)), m_settings(settings), m_destination(new QLineEdit), m_facts(new QLabel),
      m_status(new QLabel), m_bar(new QProgressBar), m_export(new QPushButton(tr("Export"))),
      m_openFolder(new QPushButton(tr("Open folder"))), m_close(new QPushButton(tr("Close"))) {
    setWindowTitle(tr("Export checkpoint"));
    setAttribute(Qt::WA_DeleteOnClose);
    m_destination->setText(QDir(settings.exportFolder()).filePath(suggestedName));
    m_destination->setMinimumWidth(420);
    m_destination->setAccessibleName(tr("Destination folder"));
    m_status->setWordWrap(true);
    m_bar->setRange(0, 1000);
    m_bar->hide();
    m_openFolder->hide();
    m_export->setDefault(true);
    m_export->setIcon(symbolicIcon(QStringLiteral("export")));

    auto* browseButton = new QPushButton(tr("Choose…"));
    connect(browseButton, &QPushButton::clicked, this, &ExportDialog::browse);
    auto* row = new QHBoxLayout;
    row->addWidget(m_destination, 1);
    row->addWidget(browseButton);
    auto* form = new QFormLayout;
    form->addRow(tr("To"), row);
    form->addRow(tr("Format"), m_facts);
    auto* buttons = new QHBoxLayout;
    buttons->addStretch();
    for (QPushButton* button : {m_openFolder, m_export, m_close}) buttons->addWidget(button);
    auto* layout = new QVBoxLayout(this);
    layout->setSpacing(12);
    layout->addLayout(form);
    layout->addWidget(m_bar);
    layout->addWidget(m_status);
    layout->addStretch();
    layout->addLayout(buttons);

    connect(m_export, &QPushButton::clicked, this, &ExportDialog::start);
    connect(m_openFolder, &QPushButton::clicked, this, [this] { QDesktopServices::openUrl(QUrl::fromLocalFile(m_destination->text())); });
    connect(m_close, &QPushButton::clicked, this, [this] {
        if (m_job)
            m_job->cancelled = true;  // finish() follows when the thread has seen it
        else
            close();
    });
    connect(m_destination, &QLineEdit::textChanged, this, &ExportDialog::checkDestination);
    m_poll.setInterval(40ms);
    connect(&m_poll, &QTimer::timeout, this, &ExportDialog::showProgress);

    m_facts->setText(tr("Reading…"));
    runInBackground(this, [path = m_checkpoint] { return inspectCheckpoint(path); }, [this](const Outcome<CheckpointFacts>& outcome) {
        if (outcome.value) {
            m_bytes = outcome.value->bytes;
            m_facts->setText(tr("compressed-tensors %1, %2 in %n file(s)", nullptr, outcome.value->files)
                                 .arg(QString::fromStdString(outcome.value->format), formatBytes(static_cast<double>(m_bytes))));
        } else {
            m_facts->setText(outcome.error);
        }
        checkDestination();
    });
}

ExportDialog::~ExportDialog() {
    if (m_job) m_job->cancelled = true;
}

void ExportDialog::browse() {
    const QFileInfo current(m_destination->text());
    const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder to export into"), current.path());
    if (!folder.isEmpty()) m_destination->setText(QDir(folder).filePath(current.fileName()));
}

void ExportDialog::checkDestination() {
    const QFileInfo target(m_destination->text());
    const QFileInfo parent(target.path());
    QString problem;
    if (m_destination->text().isEmpty())
        problem = tr("Name a folder to export to.");
    else if (target.exists())
        problem = tr("%1 exists already. Choose a new folder name.").arg(target.filePath());
    else if (!parent.isDir() || !parent.isWritable())
        problem = tr("%1 is not a folder you can write to.").arg(parent.filePath());
    else if (const QStorageInfo disk(parent.filePath()); disk.isValid() && disk.bytesAvailable() < m_bytes)
        problem = tr("%1 has %2 left and the checkpoint needs %3.")
                      .arg(parent.filePath(), formatBytes(static_cast<double>(disk.bytesAvailable())), formatBytes(static_cast<double>(m_bytes)));
    m_status->setText(problem);
    m_export->setEnabled(problem.isEmpty() && !m_job);
    m_export->setToolTip(problem);
}

void ExportDialog::start() {
    if (!m_export->isEnabled()) return;
    m_job = std::make_shared<Job>();
    m_export->setEnabled(false);
    m_destination->setEnabled(false);
    m_openFolder->hide();
    m_close->setText(tr("Cancel"));
    m_bar->setValue(0);
    m_bar->show();
    m_poll.start();
    const auto copy = [job = m_job, from = m_checkpoint, to = toPath(m_destination->text())] {
        exportCheckpoint(from, to, [&](int64_t done, int64_t) {
            job->done = done;
            return !job->cancelled;
        });
        return true;
    };
    runInBackground(this, copy, [this](const Outcome<bool>& outcome) { finish(outcome.error); });
}

void ExportDialog::showProgress() {
    if (m_job && m_bytes > 0) m_bar->setValue(static_cast<int>(1000 * m_job->done / m_bytes));
}

void ExportDialog::finish(const QString& error) {
    m_poll.stop();
    const bool cancelled = m_job->cancelled;
    m_job.reset();
    m_close->setText(tr("Close"));
    m_destination->setEnabled(true);
    m_bar->setVisible(error.isEmpty());
    if (!error.isEmpty()) {
        checkDestination();
        m_status->setText(cancelled ? tr("Cancelled; nothing was left behind.") : error);
        return;
    }
    m_bar->setValue(m_bar->maximum());
    m_settings.setExportFolder(QFileInfo(m_destination->text()).path());
    m_status->setText(tr("Exported to %1").arg(m_destination->text()));
    m_openFolder->show();
    Q_EMIT exported(m_destination->text());
}

}  // namespace calibench
