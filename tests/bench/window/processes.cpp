// What is measured from outside, on other processes: runs of the command line, and starts of the window.

#include <QCoreApplication>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "tests/bench/window/event_loop_watch.h"
#include "tests/bench/window/measures.h"

namespace calibench::bench {

namespace {

QStringList arguments(const RunSpec& run) {
    return {QStringLiteral("--model"),   run.model,
            QStringLiteral("--dataset"), run.dataset,
            QStringLiteral("--recipe"),  run.recipe,
            QStringLiteral("--num-samples"), QString::number(run.samples),
            QStringLiteral("--seq-len"), QString::number(run.seqLen),
            QStringLiteral("--iters"),   QString::number(run.iters)};
}

void execute(const QString& program, const QStringList& arguments) {
    QProcess process;
    process.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    process.start(program, arguments);
    if (!process.waitForFinished(-1) || process.exitStatus() != QProcess::NormalExit || process.exitCode() != 0)
        throw RunError(program.toStdString() + " did not do what it was started for.");
}

nlohmann::json readJson(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly)) throw RunError(path.toStdString() + " cannot be read.");
    return nlohmann::json::parse(file.readAll().toStdString());
}

nlohmann::json measureInAnotherProcess(const RunSpec& run) {
    const QTemporaryDir folder;
    const QString result = folder.filePath(QStringLiteral("result.json"));
    execute(QCoreApplication::applicationFilePath(), arguments(run) + QStringList{QStringLiteral("--hands-off"), QStringLiteral("--json"), result});
    return readJson(result).at("run");
}

}  // namespace

Distribution distributionOf(std::vector<double> milliseconds) {
    if (milliseconds.empty()) return {};
    std::sort(milliseconds.begin(), milliseconds.end());
    const auto quantile = [&](double share) {
        const double rank = std::ceil(share * static_cast<double>(milliseconds.size()));
        return milliseconds[std::min(milliseconds.size(), std::max<size_t>(1, static_cast<size_t>(rank))) - 1];
    };
    return {.count = milliseconds.size(), .p50_ms = quantile(0.5), .p99_ms = quantile(0.99), .p999_ms = quantile(0.999), .worst_ms = milliseconds.back()};
}

nlohmann::json toJson(const Distribution& d) {
    return {{"count", d.count}, {"p50_ms", d.p50_ms}, {"p99_ms", d.p99_ms}, {"p99.9_ms", d.p999_ms}, {"worst_ms", d.worst_ms}};
}

double medianOf(std::vector<double> values) { return distributionOf(std::move(values)).p50_ms; }

double measureCommandLineRun(const QString& cli, const RunSpec& run) {
    const QTemporaryDir folder;
    const QString events = folder.filePath(QStringLiteral("events.jsonl"));
    execute(cli, QStringList{QStringLiteral("run")} + arguments(run) +
                     QStringList{QStringLiteral("--output"), folder.filePath(QStringLiteral("out")), QStringLiteral("--run-dir"),
                                 folder.filePath(QStringLiteral("run")), QStringLiteral("--events"), events, QStringLiteral("--quiet")});
    QFile file(events);
    if (!file.open(QIODevice::ReadOnly)) throw RunError(events.toStdString() + " cannot be read.");
    QByteArray last;
    while (!file.atEnd()) last = file.readLine();
    return nlohmann::json::parse(last.toStdString()).at("seconds").get<double>();
}

nlohmann::json compareRuns(const QString& cli, const RunSpec& run, int rounds) {
    std::vector<double> ofCli, ofWindow;
    nlohmann::json runs = nlohmann::json::array();
    for (int round = 0; round < rounds; ++round) {
        ofCli.push_back(measureCommandLineRun(cli, run));
        runs.push_back(measureInAnotherProcess(run));
        ofWindow.push_back(runs.back().at("seconds").get<double>());
    }
    return {{"cli_seconds", ofCli}, {"window_seconds", ofWindow}, {"ratio", medianOf(ofWindow) / medianOf(ofCli)}, {"runs", runs}};
}

nlohmann::json measureStartup(const QString& program, int rounds) {
    const QTemporaryDir folder;
    std::vector<double> window, demo;
    for (int round = 0; round < rounds; ++round) {
        QProcess process;
        process.setProcessChannelMode(QProcess::ForwardedErrorChannel);
        const Clock::time_point start = Clock::now();
        process.start(program, {QStringLiteral("--demo"), QStringLiteral("--report-startup"), QStringLiteral("--settings"),
                                folder.filePath(QStringLiteral("settings.ini"))});
        while (process.state() != QProcess::NotRunning || process.canReadLine()) {
            if (!process.canReadLine() && !process.waitForReadyRead(30'000)) break;
            const double now = millisecondsSince(start);
            while (process.canReadLine()) {
                const QByteArray line = process.readLine().trimmed();
                if (line == "window") window.push_back(now);
                if (line == "demo") demo.push_back(now);
            }
        }
        process.waitForFinished();
        if (demo.size() != static_cast<size_t>(round) + 1) throw RunError(program.toStdString() + " did not tell when the demo was open.");
    }
    return {{"window_ms", medianOf(window)}, {"demo_ms", medianOf(demo)}, {"all_window_ms", window}, {"all_demo_ms", demo}};
}

}  // namespace calibench::bench
