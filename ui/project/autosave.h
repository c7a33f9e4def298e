#pragma once

#include <QObject>
#include <QTimer>

#include "ui/project/recovery_file.h"

namespace calibench {

class ProjectDocument;
class Settings;

/// Writes the project to a recovery file every few seconds while there is something that a crash would take.
class Autosave : public QObject {
    Q_OBJECT

public:
    Autosave(const ProjectDocument& document, const Settings& settings, QObject* parent = nullptr);

    void saveNow();
    /// The window closes properly: nothing is to be restored.
    void finish();

Q_SIGNALS:
    void failed(const QString& sentence);  ///< once, not every few seconds

private:
    const ProjectDocument& m_document;
    RecoveryFile m_recovery;
    QTimer m_timer;
    bool m_complained = false;
};

}  // namespace calibench
