#include "ui/project/autosave.h"

#include <utility>

#include "core/base/error.h"
#include "ui/project/project_document.h"
#include "ui/settings.h"

namespace calibench {

Autosave::Autosave(const ProjectDocument& document, const Settings& settings, QObject* parent)
    : QObject(parent), m_document(document), m_recovery(settings.recoveryFolder()) {
    const auto setPace = [this, &settings] { m_timer.setInterval(settings.autosaveSeconds() * 1000); };
    connect(&settings, &Settings::preferencesChanged, this, setPace);
    connect(&m_timer, &QTimer::timeout, this, &Autosave::saveNow);
    setPace();
    m_timer.start();
}

void Autosave::saveNow() {
    if (!m_document.worthKeeping()) return m_recovery.clear();
    Project project = m_document.current();
    project.recovers = m_document.file();
    try {
        m_recovery.write(project);
    } catch (const RunError& error) {
        if (!std::exchange(m_complained, true)) Q_EMIT failed(QString::fromUtf8(error.what()));
    }
}

void Autosave::finish() {
    m_timer.stop();
    m_recovery.clear();
}

}  // namespace calibench
