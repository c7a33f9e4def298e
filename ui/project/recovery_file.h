#pragma once

#include <QDateTime>
#include <QString>

#include <memory>
#include <optional>

#include "ui/project/project_file.h"

class QLockFile;

namespace calibench {

/// Unsaved work, kept against a crash: one file for each window, locked while that window lives. A window that closes properly
/// clears its own; what lies there unlocked was left behind.
class RecoveryFile {
public:
    /// Writes nothing yet, and makes no folder.
    explicit RecoveryFile(QString folder);
    ~RecoveryFile();

    /// Throws RunError when the disk does not play along. Writing the same project again costs nothing.
    void write(const Project& project);
    void clear();

    /// What a window that is gone left behind; nobody else is offered it while this lives.
    class Left {
    public:
        Left(QString file, std::unique_ptr<QLockFile> lock, Project project);
        Left(Left&&) noexcept;
        Left& operator=(Left&&) noexcept;
        ~Left();
        [[nodiscard]] const Project& project() const { return m_project; }
        [[nodiscard]] QDateTime saved() const;
        void discard();

    private:
        QString m_file;
        std::unique_ptr<QLockFile> m_lock;
        Project m_project;
    };
    /// The newest one, if any. Files that cannot be read are of no use to anybody and are removed.
    [[nodiscard]] static std::optional<Left> findLeft(const QString& folder);

private:
    const QString m_folder;
    QString m_file;  ///< empty until something was written
    std::unique_ptr<QLockFile> m_lock;
    std::optional<Project> m_written;
};

}  // namespace calibench
