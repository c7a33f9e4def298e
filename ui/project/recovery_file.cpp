#include "ui/project/recovery_file.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QLockFile>
#include <QUuid>

#include <utility>

#include "core/base/error.h"

namespace calibench {

namespace {

/// Null when a living process holds it.
std::unique_ptr<QLockFile> lockOf(const QString& file) {
    auto lock = std::make_unique<QLockFile>(file + QStringLiteral(".lock"));
    lock->setStaleLockTime(0);  // a window may stay open for weeks; that its process is gone is noticed all the same
    return lock->tryLock(0) ? std::move(lock) : nullptr;
}

}  // namespace

RecoveryFile::RecoveryFile(QString folder) : m_folder(std::move(folder)) {}

RecoveryFile::~RecoveryFile() = default;

void RecoveryFile::write(const Project& project) {
    if (m_written == project) return;
    if (!m_lock) {
        QDir().mkpath(m_folder);
        m_file = m_folder + QLatin1Char('/') + QUuid::createUuid().toString(QUuid::WithoutBraces) + QStringLiteral(".calibench");
        m_lock = lockOf(m_file);
        if (!m_lock) throw RunError(QCoreApplication::translate("RecoveryFile", "Unsaved work cannot be kept in %1. Is its disk full or read-only?").arg(m_folder).toStdString());
    }
    saveProject(project, m_file);
    m_written = project;
}

void RecoveryFile::clear() {
    if (m_written) QFile::remove(m_file);
    m_written.reset();
}

RecoveryFile::Left::Left(QString file, std::unique_ptr<QLockFile> lock, Project project)
    : m_file(std::move(file)), m_lock(std::move(lock)), m_project(std::move(project)) {}

RecoveryFile::Left::Left(Left&&) noexcept = default;
RecoveryFile::Left& RecoveryFile::Left::operator=(Left&&) noexcept = default;
RecoveryFile::Left::~Left() = default;

QDateTime RecoveryFile::Left::saved() const { return QFileInfo(m_file).lastModified(); }

void RecoveryFile::Left::discard() { QFile::remove(m_file); }

std::optional<RecoveryFile::Left> RecoveryFile::findLeft(const QString& folder) {
    for (const QFileInfo& file : QDir(folder).entryInfoList({QStringLiteral("*.calibench")}, QDir::Files, QDir::Time)) {
        std::unique_ptr<QLockFile> lock = lockOf(file.filePath());
        if (!lock) continue;
        try {
            return Left(file.filePath(), std::move(lock), loadProject(file.filePath()));
        } catch (const Error&) {
            QFile::remove(file.filePath());
        }
    }
    return {};
}

}  // namespace calibench
