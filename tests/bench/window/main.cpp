// calibench-window-bench: how the window answers while a run is busy, what it costs the run, and how soon it is there.

#include <QApplication>
#include <QCommandLineParser>
#include <QFile>

#include <cstdio>

#include "core/base/error.h"
#include "tests/bench/window/measures.h"

using namespace calibench;
using namespace calibench::bench;
using nlohmann::json;

namespace {

void printDistribution(const char* what, const json& d) {
    std::printf("%-12s %6zu   p50 %6.1f ms   p99 %6.1f ms   p99.9 %6.1f ms   worst %6.1f ms\n", what, d.at("count").get<size_t>(), d.at("p50_ms").get<double>(),
                d.at("p99_ms").get<double>(), d.at("p99.9_ms").get<double>(), d.at("worst_ms").get<double>());
}

void printRun(const json& run) {
    std::printf("run in the window: %.2f s, of which its thread worked %.2f s\n", run.at("seconds").get<double>(), run.at("window_thread_seconds").get<double>());
    printDistribution("event loop", run.at("event_loop"));
    for (const char* where : {"tree", "tab", "plot", "all"}) printDistribution((std::string("click ") + where).c_str(), run.at("clicks").at(where));
    for (const json& stall : run.at("slowest"))
        std::printf("  %6.1f ms at %6.2f s: %s\n", stall.at("ms").get<double>(), stall.at("at_s").get<double>(), stall.at("doing").get<std::string>().c_str());
}

void printComparison(const json& comparison) {
    std::printf("calibench-cli %s s, window %s s: %.3f times as long\n", comparison.at("cli_seconds").dump().c_str(),
                comparison.at("window_seconds").dump().c_str(), comparison.at("ratio").get<double>());
}

json measure(const QCommandLineParser& options) {
    json results;
    const int rounds = options.value(QStringLiteral("rounds")).toInt();
    if (options.isSet(QStringLiteral("startup"))) {
        results["startup"] = measureStartup(options.value(QStringLiteral("startup")), rounds);
        std::printf("painted and answering after %.0f ms, demo opened and checked after %.0f ms (medians of %d)\n",
                    results["startup"].at("window_ms").get<double>(), results["startup"].at("demo_ms").get<double>(), rounds);
    }
    if (!options.isSet(QStringLiteral("model"))) return results;
    const RunSpec run{.model = options.value(QStringLiteral("model")),
                      .dataset = options.value(QStringLiteral("dataset")),
                      .recipe = options.value(QStringLiteral("recipe")),
                      .samples = options.value(QStringLiteral("num-samples")).toInt(),
                      .seqLen = options.value(QStringLiteral("seq-len")).toInt(),
                      .iters = options.value(QStringLiteral("iters")).toInt(),
                      .handsOff = options.isSet(QStringLiteral("hands-off"))};
    if (options.isSet(QStringLiteral("cli"))) {
        results["comparison"] = compareRuns(options.value(QStringLiteral("cli")), run, rounds);
        printComparison(results["comparison"]);
    } else {
        results["run"] = measureWindowRun(run);
        printRun(results["run"]);
    }
    return results;
}

}  // namespace

int main(int argc, char** argv) {
    const QApplication app(argc, argv);
    QCommandLineParser parser;
    parser.setApplicationDescription(QStringLiteral("Times the window: a run with --model, --dataset and --recipe, also against --cli; its start with --startup."));
    parser.addHelpOption();
    const auto option = [&](const char* name, const char* help, const char* value, const char* fallback = "") {
        parser.addOption({QString::fromLatin1(name), QString::fromLatin1(help), QString::fromLatin1(value), QString::fromLatin1(fallback)});
    };
    option("model", "Hugging Face model directory", "DIR");
    option("dataset", "Calibration text", "FILE");
    option("recipe", "Recipe (YAML)", "FILE");
    option("num-samples", "Samples to calibrate on", "N", "8");
    option("seq-len", "Tokens in a sample", "N", "128");
    option("iters", "AutoRound iterations", "N", "10");
    option("cli", "calibench-cli: the same run there and here in turn", "PROGRAM");
    option("startup", "calibench: time its start with the demo", "PROGRAM");
    option("rounds", "How often, where several processes are measured", "N", "3");
    parser.addOption({QStringLiteral("hands-off"), QStringLiteral("Neither click nor watch: only the run's time counts, as it does against --cli")});
    option("json", "Write the results to FILE", "FILE");
    parser.process(app);
    try {
        const json results = measure(parser);
        if (!parser.isSet(QStringLiteral("json"))) return 0;
        QFile file(parser.value(QStringLiteral("json")));
        const QByteArray text = QByteArray::fromStdString(results.dump(2));
        if (!file.open(QIODevice::WriteOnly) || file.write(text) != text.size()) throw RunError(file.fileName().toStdString() + " cannot be written.");
    } catch (const Error& error) {
        std::fprintf(stderr, "calibench-window-bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
