#include "ui/dialogs/export_dialog.h"

#include <QCheckBox>
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
#include "ui/dialogs/serving_check.h"
#include "ui/dialogs/snippets_view.h"
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

ExportDialog::ExportDialog(const CoreServices& services, ExportSource source, Settings& settings, QWidget* parent)
    : QDialog(parent), m_source(std::move(source)), m_settings(settings), m_checkpoint(new QCheckBox(tr("Checkpoint"))),
      m_recipe(new QCheckBox(tr("Recipe"))), m_checkpointFacts(new QLabel), m_recipeFacts(new QLabel), m_space(new QLabel), m_status(new QLabel),
      m_destination(new QLineEdit), m_choose(new QPushButton(tr("Choose…"))), m_export(new QPushButton(tr("Export"))),
      m_openFolder(new QPushButton(tr("Open folder"))), m_close(new QPushButton(tr("Close"))), m_serving(new ServingCheck(services, m_source.config)),
      m_snippets(new SnippetsView), m_bar(new QProgressBar) {
    setWindowTitle(tr("Export"));
    setAttribute(Qt::WA_DeleteOnClose);
    makeControls(QDir(settings.exportFolder()).filePath(m_source.name));
    auto* buttons = new QHBoxLayout;
    buttons->addStretch();
    for (QPushButton* button : {m_openFolder, m_export, m_close}) buttons->addWidget(button);
    auto* layout = new QVBoxLayout(this);
    layout->setSpacing(12);
    layout->addWidget(makeForm());
    layout->addWidget(m_bar);
    layout->addWidget(m_status);
    layout->addWidget(m_snippets, 1);
    layout->addStretch();
    layout->addLayout(buttons);
    setMinimumWidth(640);

    for (const QCheckBox* part : {m_checkpoint, m_recipe}) connect(part, &QCheckBox::toggled, this, &ExportDialog::checkDestination);
    connect(m_destination, &QLineEdit::textChanged, this, &ExportDialog::checkDestination);
    connect(m_choose, &QPushButton::clicked, this, &ExportDialog::browse);
    connect(m_export, &QPushButton::clicked, this, &ExportDialog::start);
    connect(m_openFolder, &QPushButton::clicked, this, [this] {
        const std::filesystem::path& folder = m_exported.folder;
        QDesktopServices::openUrl(QUrl::fromLocalFile(toText(folder.empty() ? m_exported.recipeFile.parent_path() : folder)));
    });
    connect(m_close, &QPushButton::clicked, this, &ExportDialog::reject);
    connect(m_serving, &ServingCheck::checked, this, [this] {
        showFacts();
        showSnippets();
    });
    m_poll.setInterval(40ms);
    connect(&m_poll, &QTimer::timeout, this, &ExportDialog::showProgress);
    readCheckpoint();
}

ExportDialog::~ExportDialog() {
    if (m_job) m_job->cancelled = true;
}

void ExportDialog::makeControls(const QString& suggested) {
    m_checkpoint->setChecked(true);
    m_checkpoint->setToolTip(tr("The whole folder: weights, configuration, tokenizer, and the recipe as recipe.yaml"));
    m_recipe->setToolTip(tr("The recipe as the run followed it, in a file of its own for llm-compressor"));
    for (QLabel* facts : {m_checkpointFacts, m_recipeFacts, m_status}) facts->setWordWrap(true);
    m_checkpointFacts->setObjectName(QStringLiteral("checkpointFacts"));
    m_status->setObjectName(QStringLiteral("exportStatus"));
    m_destination->setText(suggested);
    m_destination->setMinimumWidth(360);
    m_destination->setAccessibleName(tr("Destination folder"));
    m_bar->setRange(0, 1000);
    m_export->setDefault(true);
    m_export->setIcon(symbolicIcon(QStringLiteral("export")));
    for (QWidget* later : std::initializer_list<QWidget*>{m_bar, m_openFolder, m_snippets}) later->hide();
}

QWidget* ExportDialog::makeForm() {
    auto* row = new QHBoxLayout;
    row->addWidget(m_destination, 1);
    row->addWidget(m_choose);
    auto* to = new QVBoxLayout;
    to->addLayout(row);
    to->addWidget(m_space);
    auto* widget = new QWidget;
    auto* form = new QFormLayout(widget);
    form->setContentsMargins(0, 0, 0, 0);
    form->addRow(m_checkpoint, m_checkpointFacts);
    form->addRow(m_recipe, m_recipeFacts);
    form->addRow(tr("To"), to);
    form->addRow(tr("Serving"), m_serving);
    return widget;
}

void ExportDialog::readCheckpoint() {
    m_checkpointFacts->setText(tr("Reading…"));
    runInBackground(this, [path = m_source.checkpoint] { return inspectCheckpoint(path); }, [this](const Outcome<CheckpointFacts>& outcome) {
        m_facts = outcome.value;
        if (!m_facts) m_checkpointFacts->setText(outcome.error);
        m_recipe->setEnabled(m_facts && m_facts->hasRecipe);
        if (m_facts && !m_facts->hasRecipe) m_recipe->setToolTip(tr("There is no recipe.yaml in %1.").arg(toText(m_source.checkpoint)));
        showFacts();
        checkDestination();
    });
    checkDestination();
}

void ExportDialog::showFacts() {
    if (!m_facts) return;
    QStringList facts{tr("%1, %2 in %n file(s)", nullptr, m_facts->files)
                          .arg(m_facts->format.empty() ? tr("not quantized") : QStringLiteral("compressed-tensors ") + QString::fromStdString(m_facts->format),
                               formatBytes(static_cast<double>(m_facts->bytes)))};
    if (const auto& report = m_serving->report(); report && report->bits_per_quantized_weight > 0) {
        facts << tr("%1 before quantization").arg(formatBytes(static_cast<double>(report->source_bytes)));
        facts << tr("%1 bytes for each quantized weight").arg(formatNumber(report->bits_per_quantized_weight / 8));
    }
    m_checkpointFacts->setText(facts.join(QStringLiteral("; ")));
}

void ExportDialog::browse() {
    const QFileInfo current(m_destination->text());
    const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder to export into"), current.path());
    if (!folder.isEmpty()) m_destination->setText(QDir(folder).filePath(current.fileName()));
}

QString ExportDialog::recipeFile() const { return m_destination->text() + QStringLiteral(".yaml"); }

ExportOrder ExportDialog::order() const {
    return {.checkpoint = m_source.checkpoint, .folder = m_checkpoint->isChecked() ? toPath(m_destination->text()) : std::filesystem::path(),
            .recipeFile = m_recipe->isChecked() ? toPath(recipeFile()) : std::filesystem::path()};
}

QString ExportDialog::obstacle() const {
    if (!m_facts) return tr("The checkpoint is not read yet.");
    if (!m_checkpoint->isChecked() && !m_recipe->isChecked()) return tr("Choose what to export.");
    const QFileInfo target(m_destination->text()), parent(target.path());
    if (m_destination->text().isEmpty()) return tr("Name a folder to export to.");
    if (m_checkpoint->isChecked() && target.exists()) return tr("%1 exists already. Choose a new folder name.").arg(target.filePath());
    if (m_recipe->isChecked() && QFileInfo::exists(recipeFile())) return tr("%1 exists already. Choose another name.").arg(recipeFile());
    if (!parent.isDir() || !parent.isWritable()) return tr("%1 is not a folder you can write to.").arg(parent.filePath());
    const QStorageInfo disk(parent.filePath());
    if (m_checkpoint->isChecked() && disk.isValid() && disk.bytesAvailable() < m_facts->bytes)
        return tr("%1 has %2 left and the checkpoint needs %3. Choose another disk, or make room.")
            .arg(parent.filePath(), formatBytes(static_cast<double>(disk.bytesAvailable())), formatBytes(static_cast<double>(m_facts->bytes)));
    return {};
}

void ExportDialog::checkDestination() {
    const QFileInfo target(m_destination->text());
    const QStorageInfo disk(target.path());
    m_space->setText(disk.isValid() ? tr("%1 free on this disk").arg(formatBytes(static_cast<double>(disk.bytesAvailable()))) : QString());
    m_recipeFacts->setText(tr("%1 beside the folder, for llm-compressor").arg(QFileInfo(recipeFile()).fileName()));
    const QString problem = obstacle();
    m_status->setText(m_facts ? problem : QString());
    m_export->setEnabled(problem.isEmpty() && !m_job);
    m_export->setToolTip(problem);
}

void ExportDialog::setBusy(bool busy) {
    for (QWidget* control : std::initializer_list<QWidget*>{m_destination, m_choose, m_checkpoint, m_recipe}) control->setEnabled(!busy);
    m_recipe->setEnabled(!busy && m_facts && m_facts->hasRecipe);
    m_close->setText(busy ? tr("Cancel") : tr("Close"));
    if (busy) m_export->setEnabled(false);
}

void ExportDialog::start() {
    m_job = std::make_shared<Job>();
    m_exported = order();
    setBusy(true);
    m_openFolder->hide();
    m_snippets->hide();
    m_bar->setValue(0);
    m_bar->show();
    m_clock.start();
    m_poll.start();
    const auto copy = [job = m_job, order = m_exported] {
        exportParts(order, [&](int64_t done, int64_t) {
            job->done = done;
            return !job->cancelled;
        });
        return true;
    };
    runInBackground(this, copy, [this](const Outcome<bool>& outcome) { finish(outcome.error); });
}

void ExportDialog::showProgress() {
    const int64_t done = m_job->done, total = m_facts->bytes;
    if (m_job->cancelled || done == 0 || total == 0) return;
    m_bar->setValue(static_cast<int>(1000 * done / total));
    QString text = tr("%1 of %2").arg(formatBytes(static_cast<double>(done)), formatBytes(static_cast<double>(total)));
    if (const double seconds = static_cast<double>(m_clock.elapsed()) / 1000; seconds > 0.5)  // before, it says little
        text += tr(", %1 left").arg(formatDuration(seconds * static_cast<double>(total - done) / static_cast<double>(done)));
    m_status->setText(text);
}

void ExportDialog::finish(const QString& error) {
    m_poll.stop();
    const bool cancelled = m_job->cancelled;
    m_job.reset();
    setBusy(false);
    m_bar->setVisible(error.isEmpty());
    if (!error.isEmpty()) {
        m_exported = {};
        checkDestination();
        m_status->setText(cancelled ? tr("Cancelled; nothing was left behind.") : error);
        return;
    }
    m_bar->setValue(m_bar->maximum());
    m_settings.setExportFolder(QFileInfo(m_destination->text()).path());
    QStringList places;
    for (const std::filesystem::path& place : {m_exported.folder, m_exported.recipeFile})
        if (!place.empty()) places << toText(place);
    m_status->setText(tr("Exported to %1").arg(places.join(tr(" and "))));
    m_openFolder->show();
    showSnippets();
    Q_EMIT exported(places.front());
}

void ExportDialog::showSnippets() {
    if (m_job || m_exported.folder.empty()) return;
    m_snippets->showSnippets(ServingSnippets::of(*m_facts, toText(m_exported.folder), m_serving->tensorParallel()));
    m_snippets->show();
    adjustSize();
}

void ExportDialog::reject() {
    if (m_job)
        m_job->cancelled = true;  // finish() follows when the thread has seen it
    else
        QDialog::reject();
}

}  // namespace calibench
