#include <QApplication>
#include <QEventLoop>
#include <QFileInfo>
#include <QSettings>
#include <QTemporaryDir>

#include <sys/resource.h>

#include <algorithm>

#include "app/gui/core_services.h"
#include "core/base/error.h"
#include "tests/bench/window/clicker.h"
#include "tests/bench/window/event_loop_watch.h"
#include "tests/bench/window/measures.h"
#include "ui/main_window.h"
#include "ui/theme.h"

namespace calibench::bench {

namespace {

using State = RunController::State;

QString doing(const MainWindow& window, const RunController& controller) {
    if (!window.isVisible()) return QStringLiteral("opening");
    const auto& progress = controller.record().progress();
    if (controller.state() == State::Loading || !progress) return QStringLiteral("starting");
    return QStringLiteral("%1, block %2").arg(QString::fromStdString(progress->stage)).arg(progress->block);
}

/// Processor time of this thread, the window's.
double threadSeconds() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Lets the window work until `done`, asked whenever the session or the run has something new.
template <typename Done>
void waitFor(MainWindow& window, Done done) {
    QEventLoop loop;
    const auto look = [&] {
        if (done()) loop.quit();
    };
    QObject::connect(&window.session(), &Session::readinessChanged, &loop, look);
    QObject::connect(&window.controller(), &RunController::stateChanged, &loop, look);
    if (!done()) loop.exec();
}

void open(MainWindow& window, const RunSpec& run) {
    window.openModel(run.model);
    window.openData(run.dataset);
    window.openRecipe(run.recipe);
    DataSettings data = window.session().data();
    data.numSamples = run.samples;
    data.seqLen = run.seqLen;
    data.iters = run.iters;
    window.session().setData(data);
    waitFor(window, [&window] { return window.session().obstacle().isEmpty() || window.session().errorCount() > 0; });
    if (const QString obstacle = window.session().obstacle(); !obstacle.isEmpty()) throw InputError(obstacle.toStdString());
}

nlohmann::json toJson(const std::vector<Clicker::Click>& clicks) {
    nlohmann::json parts;
    std::vector<double> all;
    for (const char* where : {"tree", "tab", "plot"}) {
        std::vector<double> part;
        for (const Clicker::Click& click : clicks)
            if (click.where == QLatin1String(where)) part.push_back(click.latency_ms);
        all.insert(all.end(), part.begin(), part.end());
        parts[where] = toJson(distributionOf(std::move(part)));
    }
    parts["all"] = toJson(distributionOf(std::move(all)));
    return parts;
}

/// One line for each of the slowest answers; those that one stall delayed are one.
nlohmann::json slowest(std::vector<EventLoopWatch::Answer> answers, size_t most) {
    std::sort(answers.begin(), answers.end(), [](const auto& a, const auto& b) { return a.latency_ms > b.latency_ms; });
    std::vector<EventLoopWatch::Answer> stalls;
    for (const auto& answer : answers) {
        if (stalls.size() == most) break;
        const bool known = std::any_of(stalls.begin(), stalls.end(), [&](const auto& s) {
            return answer.at_s >= s.at_s && answer.at_s <= s.at_s + s.latency_ms / 1000;
        });
        if (!known) stalls.push_back(answer);
    }
    nlohmann::json lines = nlohmann::json::array();
    for (const auto& stall : stalls) lines.push_back({{"at_s", stall.at_s}, {"ms", stall.latency_ms}, {"doing", stall.doing.toStdString()}});
    return lines;
}

}  // namespace

nlohmann::json measureWindowRun(const RunSpec& run) {
    const QTemporaryDir folder;
    const QString file = folder.filePath(QStringLiteral("settings.ini"));
    QSettings(file, QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), folder.filePath(QStringLiteral("runs")));
    Settings settings(file);
    installStyle();
    applyTheme(Theme::Light);
    MainWindow window(coreServices(), settings, QStringLiteral(CALIBENCH_RESOURCES));
    window.resize(1440, 900);
    window.show();
    open(window, run);

    RunController& controller = window.controller();
    Clicker clicker(window);
    EventLoopWatch watch([&clicker](Clock::time_point asked) { clicker.click(asked); }, [&] { return doing(window, controller); });
    if (!run.handsOff) watch.start();
    const double before = threadSeconds();
    window.startRun();
    waitFor(window, [&controller] { return !controller.active(); });
    const double spent = threadSeconds() - before;
    if (!run.handsOff) watch.stop();
    QCoreApplication::processEvents();
    if (controller.state() != State::Done) throw RunError("The run in the window did not finish.");

    std::vector<double> latencies;
    for (const auto& answer : watch.answers()) latencies.push_back(answer.latency_ms);
    return {{"seconds", controller.summary()->seconds},
            {"window_thread_seconds", spent},
            {"event_loop", toJson(distributionOf(std::move(latencies)))},
            {"clicks", toJson(clicker.clicks())},
            {"slowest", slowest(watch.answers(), 8)}};
}

}  // namespace calibench::bench
