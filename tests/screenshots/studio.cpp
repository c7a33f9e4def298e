#include "tests/screenshots/studio.h"

#include <QApplication>
#include <QPainter>
#include <QSettings>
#include <QTest>

#include <cstdio>
#include <stdexcept>

#include "app/gui/core_services.h"
#include "ui/lens/error_page.h"
#include "ui/panels/plots_page.h"

namespace calibench {

Studio::Studio(const QString& folder, const QString& suffix)
    : m_folder(folder), m_suffix(suffix), m_settings(settingsFile()), m_window(coreServices(), m_settings, QStringLiteral(CALIBENCH_RESOURCES)) {
    m_window.resize(1440, 900);
    m_window.show();
}

QString Studio::settingsFile() const {
    const QString file = temporaryFile(QStringLiteral("settings.ini"));
    QSettings settings(file, QSettings::IniFormat);
    settings.setValue(QStringLiteral("run/workspace"), temporaryFile(QStringLiteral("runs")));
    settings.setValue(QStringLiteral("export/folder"), m_temporary.path());
    return file;
}

void Studio::wait(const char* what, const std::function<bool()>& done) const {
    if (!QTest::qWaitFor(done, 300'000)) throw std::runtime_error(std::string("waited in vain: ") + what);
}

void Studio::save(const QPixmap& picture, const char* view) const {
    const QString scale = picture.devicePixelRatio() > 1 ? QStringLiteral("@%1x").arg(picture.devicePixelRatio()) : QString();
    const QString file = m_folder + QStringLiteral("/%1%2%3.png").arg(QString::fromLatin1(view), m_suffix, scale);
    if (!picture.save(file, "PNG", 0)) throw std::runtime_error(file.toStdString() + " cannot be written");  // 0: as small as it gets
    std::printf("%s\n", qPrintable(file));
}

void Studio::take(const char* view) {
    QTest::qWait(400);  // plots draw and docks settle some turns later
    QPixmap picture = m_window.grab();
    QPainter painter(&picture);
    for (QWidget* top : QApplication::topLevelWidgets())
        if (top != &m_window && top->isVisible() && top->parentWidget()) painter.drawPixmap(top->pos() - m_window.pos(), top->grab());
    painter.end();
    save(picture, view);
}

void Studio::take(const char* view, QWidget& part) {
    QTest::qWait(400);
    save(part.grab(), view);
}

void Studio::ready() {
    wait("the model and its recipe", [this] { return m_window.session().obstacle().isEmpty(); });
}

void Studio::shrink(int iters) {
    DataSettings data = m_window.session().data();
    data.numSamples = 16;
    data.seqLen = 64;
    data.iters = iters;
    m_window.session().setData(data);
}

void Studio::showTab(int tab) { m_window.plots()->setCurrentTab(tab); }

void Studio::runThrough() {
    m_window.startRun();
    wait("the run's end", [this] { return !m_window.controller().active(); });
    if (!m_window.controller().summary()) throw std::runtime_error("the run failed");
}

bool Studio::errorSettled() {
    ErrorPage& page = *m_window.plots()->errorPage();
    return page.microscope().state() == Microscope::State::Ready && page.settled();
}

}  // namespace calibench
