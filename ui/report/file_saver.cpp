#include "ui/report/file_saver.h"

#include <QDesktopServices>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QSaveFile>
#include <QTimer>
#include <QUrl>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/base/error.h"
#include "ui/background.h"
#include "ui/panels/message_bar.h"
#include "ui/settings.h"

namespace calibench {

using MessageKind = MessageBar::Kind;

namespace {

constexpr int PatienceMs = 300;  // before it is said that a file is being written

/// What the file's name ends with decides where it is one of the kinds, else the filter chosen.
size_t kindOf(const std::vector<FileSaver::Kind>& kinds, const QString& file, const QString& filter) {
    const auto chosen = std::find_if(kinds.begin(), kinds.end(), [&](const FileSaver::Kind& kind) { return kind.filter == filter; });
    const QString suffix = QFileInfo(file).suffix().toLower();
    if (chosen != kinds.end() && chosen->suffix == suffix) return static_cast<size_t>(chosen - kinds.begin());
    const auto named = std::find_if(kinds.begin(), kinds.end(), [&](const FileSaver::Kind& kind) { return kind.suffix == suffix; });
    if (named != kinds.end()) return static_cast<size_t>(named - kinds.begin());
    return chosen == kinds.end() ? 0 : static_cast<size_t>(chosen - kinds.begin());
}

/// Whole or not at all. Throws RunError.
void write(const QString& file, const QByteArray& bytes) {
    QSaveFile out(file);
    if (out.open(QIODevice::WriteOnly) && out.write(bytes) == bytes.size() && out.commit()) return;
    throw RunError(FileSaver::tr("%1 cannot be written: %2. Choose another place.").arg(QDir::toNativeSeparators(file), out.errorString()).toStdString());
}

}  // namespace

FileSaver::FileSaver(Settings& settings, MessageBar& messages, QWidget* window)
    : QObject(window), m_settings(settings), m_messages(messages), m_window(window) {}

void FileSaver::ask(Request request) {
    auto* dialog = new QFileDialog(m_window, request.title, m_settings.saveFolder());
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    QStringList filters;
    for (const Kind& kind : request.kinds) filters << kind.filter;
    dialog->setNameFilters(filters);
    dialog->setDefaultSuffix(request.kinds.front().suffix);
    dialog->selectFile(request.name + QLatin1Char('.') + request.kinds.front().suffix);
    connect(dialog, &QFileDialog::filterSelected, dialog, [dialog, kinds = request.kinds](const QString& filter) {
        for (const Kind& kind : kinds) {
            if (kind.filter != filter) continue;
            dialog->setDefaultSuffix(kind.suffix);
            const QFileInfo typed(dialog->selectedFiles().value(0));
            if (typed.suffix() != kind.suffix) dialog->selectFile(typed.completeBaseName() + QLatin1Char('.') + kind.suffix);
        }
    });
    connect(dialog, &QFileDialog::fileSelected, this, [this, dialog, request = std::move(request)](const QString& file) {
        m_settings.setSaveFolder(QFileInfo(file).absolutePath());
        save(file, request.prepare(kindOf(request.kinds, file, dialog->selectedNameFilter())), request.remark);
    });
    dialog->open();
}

void FileSaver::save(const QString& file, const Work& work, const QString& remark) {
    const QString shown = QDir::toNativeSeparators(file);
    auto* patience = new QTimer(this);
    patience->setSingleShot(true);
    connect(patience, &QTimer::timeout, this, [this, shown] { m_messages.post(MessageKind::Info, tr("Writing %1").arg(shown)); });
    patience->start(PatienceMs);
    const auto all = [work, file] {
        write(file, work());
        return true;
    };
    runInBackground(this, all, [this, file, shown, remark, patience](const Outcome<bool>& outcome) {
        delete patience;
        if (!outcome.value) {
            m_messages.post(MessageKind::Error, outcome.error);
        } else {
            const QString folder = QFileInfo(file).absolutePath();
            m_messages.post(MessageKind::Success, remark.isEmpty() ? tr("Saved %1").arg(shown) : tr("Saved %1: %2").arg(shown, remark), tr("Open folder"),
                            [folder] { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
        }
        Q_EMIT ended();
    });
}

}  // namespace calibench
