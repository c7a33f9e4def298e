#include "ui/dialogs/settings_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QDirIterator>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStorageInfo>
#include <QThread>
#include <QToolButton>
#include <QVBoxLayout>

#include <utility>

#include "ui/background.h"
#include "ui/form_section.h"
#include "ui/format.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

namespace {

struct FolderSpace {
    qint64 used = 0;
    qint64 free = 0;
};

FolderSpace measure(const QString& folder) {
    FolderSpace space;
    QDirIterator files(folder, QDir::Files | QDir::Hidden | QDir::NoSymLinks, QDirIterator::Subdirectories);
    while (files.hasNext()) {
        files.next();
        space.used += files.fileInfo().size();
    }
    QString above = folder;  // runs make the folder; until then the disk is that of the nearest one above
    while (!QFileInfo::exists(above) && above != QFileInfo(above).path()) above = QFileInfo(above).path();
    space.free = QStorageInfo(above).bytesAvailable();
    return space;
}

/// A label, a field and one sentence about it, for eyes and screen readers alike.
void addRow(QFormLayout* form, const QString& label, QWidget* field, const QString& help) {
    field->setToolTip(help);
    field->setAccessibleName(label);
    field->setAccessibleDescription(help);
    form->addRow(label, field);
    form->labelForField(field)->setToolTip(help);
}

void addHeading(QFormLayout* form, const QString& text) {
    QLabel* label = makeHeading(text);
    label->setContentsMargins(0, form->rowCount() > 0 ? 12 : 0, 0, 0);
    form->addRow(label);
}

/// Sets a field without its telling that it changed.
template <typename Field, typename Set>
void quietly(Field* field, Set set) {
    const QSignalBlocker blocker(field);
    set(field);
}

}  // namespace

SettingsDialog::SettingsDialog(Settings& settings, QWidget* parent) : QDialog(parent), m_settings(settings) {
    setWindowTitle(tr("Settings"));
    auto* form = new QFormLayout;
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->setHorizontalSpacing(12);
    addRuns(form);
    addFolders(form);
    addWindow(form);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::RestoreDefaults | QDialogButtonBox::Close);
    for (QAbstractButton* button : buttons->buttons()) qobject_cast<QPushButton*>(button)->setAutoDefault(false);  // Enter in a field means that field
    QPushButton* defaults = buttons->button(QDialogButtonBox::RestoreDefaults);
    defaults->setToolTip(tr("Set everything on this page back to what it was at first"));
    connect(defaults, &QPushButton::clicked, &m_settings, &Settings::restoreDefaults);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* layout = new QVBoxLayout(this);
    layout->setSpacing(12);
    layout->addLayout(form);
    layout->addStretch();
    layout->addWidget(buttons);
    setMinimumWidth(520);
    connect(&m_settings, &Settings::preferencesChanged, this, &SettingsDialog::load);
    load();
}

void SettingsDialog::addRuns(QFormLayout* form) {
    addHeading(form, tr("Runs"));
    const int cores = QThread::idealThreadCount();
    m_threads = new QSpinBox;
    m_threads->setRange(0, 1024);
    m_threads->setSpecialValueText(tr("automatic (%1)").arg(threadsFor({}, cores)));
    addRow(form, tr("Threads"), m_threads, tr("Processor cores a run uses, of %1 here; automatic leaves one to the window where there are more than four").arg(cores));
    m_device = new QComboBox;
    m_device->setEditable(true);
    m_device->addItems({QStringLiteral("auto"), QStringLiteral("cpu"), QStringLiteral("cuda"), QStringLiteral("cuda:0"), QStringLiteral("cuda:1")});
    addRow(form, tr("Device"), m_device, tr("What computes: auto takes a graphics card when there is one; cuda:1 is the second card"));
    m_dtype = new QComboBox;
    m_dtype->addItems({QStringLiteral("auto"), QStringLiteral("float32"), QStringLiteral("bfloat16")});
    addRow(form, tr("Number type"), m_dtype, tr("What a run computes in: float32 is exact and slow on graphics cards, bfloat16 needs half the memory; auto suits the device"));
    connect(m_threads, &QSpinBox::valueChanged, this, &SettingsDialog::applyRunOptions);
    connect(m_device, &QComboBox::currentTextChanged, this, &SettingsDialog::applyRunOptions);
    connect(m_dtype, &QComboBox::currentTextChanged, this, &SettingsDialog::applyRunOptions);
}

void SettingsDialog::addFolders(QFormLayout* form) {
    addHeading(form, tr("Folders"));
    m_workspace = addFolder(form, tr("Runs"), tr("Where runs keep their journals, measurements and checkpoints; earlier runs stay where they are"), &Settings::setWorkspace);
    m_space = new QLabel;
    m_space->setWordWrap(true);
    form->addRow(QString(), m_space);
    m_exportFolder = addFolder(form, tr("Exports"), tr("The folder that Export suggests first"), &Settings::setExportFolder);
}

QLineEdit* SettingsDialog::addFolder(QFormLayout* form, const QString& label, const QString& help, void (Settings::*set)(const QString&)) {
    auto* row = new QWidget;
    auto* edit = new QLineEdit;
    auto* browse = new QToolButton;
    browse->setIcon(symbolicIcon(QStringLiteral("open")));
    const QString browseHelp = tr("Choose the folder: %1").arg(label);
    browse->setToolTip(browseHelp);
    browse->setAccessibleName(browseHelp);
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(edit, 1);
    layout->addWidget(browse);
    addRow(form, label, row, help);
    edit->setToolTip(help);
    edit->setAccessibleName(label);
    connect(edit, &QLineEdit::editingFinished, this, [this, edit, set] { applyFolder(edit, set); });
    connect(browse, &QToolButton::clicked, this, [this, edit, set] {
        const QString folder = QFileDialog::getExistingDirectory(this, tr("Choose a folder"), edit->text());
        if (folder.isEmpty()) return;
        edit->setText(folder);
        applyFolder(edit, set);
    });
    return edit;
}

void SettingsDialog::addWindow(QFormLayout* form) {
    addHeading(form, tr("Window"));
    m_theme = new QComboBox;
    m_theme->addItems({tr("As the system"), tr("Light"), tr("Dark")});
    addRow(form, tr("Theme"), m_theme, tr("Colours of the window; as the system follows the desktop when it changes"));
    m_autosave = new QSpinBox;
    m_autosave->setRange(1, 600);
    m_autosave->setSuffix(tr(" s"));
    addRow(form, tr("Autosave every"), m_autosave, tr("How often unsaved work is kept aside, so that a crash takes no more than this; your own files are not touched"));
    m_notify = new QSpinBox;
    m_notify->setRange(-1, 86'400);
    m_notify->setSuffix(tr(" s"));
    m_notify->setSpecialValueText(tr("never"));
    addRow(form, tr("Notify after"), m_notify, tr("A run that took at least this long is announced on the desktop when the window is not in front"));
    connect(m_theme, &QComboBox::currentIndexChanged, this, [this](int index) { m_settings.setTheme(static_cast<Theme>(index)); });
    connect(m_autosave, &QSpinBox::valueChanged, &m_settings, &Settings::setAutosaveSeconds);
    connect(m_notify, &QSpinBox::valueChanged, &m_settings, &Settings::setNotifySeconds);
}

void SettingsDialog::applyRunOptions() {
    const QString device = m_device->currentText().trimmed();
    m_settings.setRunOptions({.threads = m_threads->value(), .device = device.isEmpty() ? QStringLiteral("auto") : device, .dtype = m_dtype->currentText()});
}

void SettingsDialog::applyFolder(QLineEdit* edit, void (Settings::*set)(const QString&)) {
    const QString folder = QDir::cleanPath(edit->text().trimmed());
    if (QDir::isAbsolutePath(folder)) return (m_settings.*set)(folder);
    load();  // a path that depends on where the program was started from is no place to keep anything
}

void SettingsDialog::load() {
    const RunOptions options = m_settings.runOptions();
    quietly(m_threads, [&](QSpinBox* box) { box->setValue(options.threads); });
    if (m_device->currentText().trimmed() != options.device) quietly(m_device, [&](QComboBox* box) { box->setCurrentText(options.device); });
    quietly(m_dtype, [&](QComboBox* box) { box->setCurrentText(options.dtype); });
    m_workspace->setText(QDir::toNativeSeparators(m_settings.workspace()));
    m_exportFolder->setText(QDir::toNativeSeparators(m_settings.exportFolder()));
    quietly(m_theme, [&](QComboBox* box) { box->setCurrentIndex(static_cast<int>(m_settings.theme())); });
    quietly(m_autosave, [&](QSpinBox* box) { box->setValue(m_settings.autosaveSeconds()); });
    quietly(m_notify, [&](QSpinBox* box) { box->setValue(m_settings.notifySeconds()); });
    measureWorkspace();
}

void SettingsDialog::measureWorkspace() {
    const QString folder = m_settings.workspace();
    if (std::exchange(m_measured, folder) == folder) return;
    m_space->setText(tr("Measuring…"));
    runInBackground(this, [folder] { return measure(folder); }, [this, folder](const Outcome<FolderSpace>& outcome) {
        if (folder != m_measured || !outcome.value) return;
        m_space->setText(tr("%1 used by runs, %2 free on this disk")
                             .arg(formatBytes(static_cast<double>(outcome.value->used)), formatBytes(static_cast<double>(outcome.value->free))));
    });
}

}  // namespace calibench
