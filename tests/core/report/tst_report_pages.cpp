#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>

#include <filesystem>
#include <limits>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/report/run_comparison.h"
#include "core/report/run_tables.h"
#include "tests/core/report/report_run.h"

using namespace calibench;
using testing::reported_run;
namespace fs = std::filesystem;

namespace {

/// A page that is HTML and XML: its text, and the names and attributes of its elements.
struct Page {
    explicit Page(const std::string& html) {
        QXmlStreamReader reader(QString::fromStdString(html));
        while (!reader.atEnd()) {
            const auto token = reader.readNext();
            if (token == QXmlStreamReader::StartElement) {
                elements << reader.name().toString();
                for (const auto& attribute : reader.attributes()) attributes << attribute.name().toString() + "=" + attribute.value().toString();
            }
            if (token == QXmlStreamReader::Characters) text += reader.text().toString() + " ";
        }
        error = reader.hasError() ? reader.errorString() + " in line " + QString::number(reader.lineNumber()) : QString();
    }
    QString text, error;
    QStringList elements, attributes;
};

bool has_row(const Table& table, const std::vector<std::string>& beginning) {
    return std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return std::equal(beginning.begin(), beginning.end(), row.begin()); });
}

}  // namespace

/// What a report says, against what is known of its run.
class TestReportPages : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aPageHoldsTheRunsNumbers() {
        const ReportedRun run = reported_run();
        const Page page(to_html(report_on({run})));
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
        for (const char* said : {"LlamaForCausalLM", "Finished", "1:02", "123456 bytes", "0.0002 → 0.0001 (-50 %)", "16 of 64 tokens", "W4 g64 sym", "model.layers.2.mlp.down_proj",
                                 "its loss does not fall. Raise lr.", "AutoRoundModifier: {iters: 3}", "calibench-cli run"})
            QVERIFY2(page.text.contains(QString::fromUtf8(said)), said);
        for (const auto& [name, module] : run.facts.modules) QVERIFY2(page.text.contains(QString::fromStdString(name)), name.c_str());
        for (const char* number : {"20.5", "18.25", "21.75", "24.12", "-0.515625", "0.765625", "-7.03125", "9.01562", "0.000125", "6.25e-5", "9.375e-5"})
            QVERIFY2(page.text.contains(QLatin1String(number)), number);
        QCOMPARE(page.elements.count("svg"), 5);  // dumbbells, curves, two maps, ranges
        for (const char* label : {"Block", "Iteration", "Loss (mean squared error)", "SQNR of weights, dB", "q_proj, weights", "down_proj, inputs"})
            QVERIFY2(page.text.contains(QLatin1String(label)), label);
    }

    void aPageNeedsNothingElse() {
        const std::string html = to_html(report_on({reported_run(), reported_run("other")}));
        const Page page(html);
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
        for (const char* outside : {"script", "link", "img", "iframe", "object"}) QVERIFY2(!page.elements.contains(QLatin1String(outside)), outside);
        for (const QString& attribute : page.attributes) {
            if (attribute.startsWith("xmlns=")) continue;
            QVERIFY2(!attribute.contains("://") && !attribute.startsWith("on"), qPrintable(attribute));
        }
        QVERIFY(html.find("@import") == std::string::npos && html.find("url(") == std::string::npos);
        QVERIFY(html.find("prefers-color-scheme:dark") != std::string::npos && html.find("@media print") != std::string::npos);
    }

    void hostileNamesStayText() {
        ReportedRun run = reported_run();
        const std::string evil = "</pre><script>alert(\"x\")</script>&'";
        run.notes.title = run.notes.annotation = run.facts.started.model = run.facts.config.recipe_yaml = run.facts.schemes = run.facts.blocks[0].name = evil;
        run.facts.modules[0].first = evil + ".self_attn." + evil;
        run.facts.modules[0].second.scheme = evil;
        run.facts.warnings.push_back({.module = evil, .message = evil});
        run.facts.config.model_dir = run.facts.run_dir = evil;
        run.facts.failure = "\x01\xff" + evil;
        run.facts.ending = StoredRun::Ending::Failed;
        const Page page(to_html(report_on({run, reported_run()})));
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
        QVERIFY(!page.elements.contains("script"));
        QVERIFY(page.text.contains(QString::fromStdString(evil)));
    }

    void theWorstModuleComesFirstAndSaysWhy() {
        const WorstModules worst = worst_modules(reported_run().facts);
        QVERIFY(worst.stand_out);
        QCOMPARE(worst.table.rows[0][0], std::string("model.layers.2.mlp.down_proj"));
        QVERIFY2(worst.table.rows[0].back().find("dB more than its peers'") != std::string::npos, worst.table.rows[0].back().c_str());

        ReportedRun calm = reported_run();
        for (auto& [name, module] : calm.facts.modules) module.weight_sqnr_db = 25 - 0.01 * static_cast<double>(module.block);
        const WorstModules lowest = worst_modules(calm.facts, 3);
        QVERIFY(!lowest.stand_out);
        QCOMPARE(lowest.table.rows.size(), 3u);
        QCOMPARE(lowest.table.rows[0][0], std::string("model.layers.3.self_attn.q_proj"));
    }

    void whatLosesNothingIsExact() {
        ReportedRun run = reported_run();
        for (auto& [name, module] : run.facts.modules) module.weight_sqnr_db = module.output_sqnr_db = std::numeric_limits<double>::infinity();
        QVERIFY(has_row(modules_table(run.facts), {"model.layers.0.self_attn.q_proj", "W4 g64 sym", "exact", "exact", "21.75"}));
        const Page page(to_html(report_on({run})));
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
    }

    void aRunThatDidNothingYetHasAPage() {
        ReportedRun run;
        run.facts.run_dir = "/runs/new";
        const Page page(to_html(report_on({run})));
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
        QVERIFY(page.text.contains("Broken off, 0 of 0 blocks done"));
        QVERIFY(!page.elements.contains("svg"));
    }

    void aComparisonTellsRunsApart() {
        ReportedRun base = reported_run("base"), other = reported_run("other");
        other.facts.config.recipe_yaml = "quant_stage:\n  quant_modifiers:\n    AutoRoundModifier: {iters: 50}\n";
        other.facts.started.iters = 50;
        for (auto& [name, module] : other.facts.modules) *module.output_sqnr_db += 0.5;
        *other.facts.modules[5].second.output_sqnr_db -= 4;  // block 2, down_proj
        const Page page(to_html(report_on({base, other})));
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
        QVERIFY(page.text.contains("- " + QStringLiteral("    AutoRoundModifier: {iters: 3}")) && page.text.contains("+ " + QStringLiteral("    AutoRoundModifier: {iters: 50}")));
        QVERIFY(page.elements.contains("del") && page.elements.contains("ins"));

        const Table changes = module_changes_table({"A", &base.facts}, {"B", &other.facts});
        QCOMPARE(changes.rows.size(), 8u);
        QCOMPARE(changes.rows[0], (std::vector<std::string>{"model.layers.2.mlp.down_proj", "W4 g64 sym", "1.38", "1.38", "0.00", "18.25", "14.75", "-3.50"}));
        QCOMPARE(changes.rows[1].back(), std::string("0.50"));
        const auto map = module_changes_figure(base.facts, other.facts, &ModuleOutcome::output_sqnr_db, "dB");
        QVERIFY(map);
        QCOMPARE(std::get<Cells>(map->panels[0].marks).at(1, 2), std::optional(-3.5));

        std::vector<ReportSection> sections;
        write_comparison({base, other}, sections);
        const auto& overview = sections[0].blocks;
        const auto* differing = std::get_if<Table>(&overview.back());
        QVERIFY(differing);
        QVERIFY(has_row(*differing, {"Iterations", "3", "50"}));
        QVERIFY(has_row(*differing, {"Model", "/models/base", "/models/other"}));
        QVERIFY(!has_row(*differing, {"Seed"}));
    }

    void runsOfOtherModelsHaveNothingInCommon() {
        ReportedRun base = reported_run(), other = reported_run();
        for (auto& [name, module] : other.facts.modules) name = "transformer." + name;
        const Page page(to_html(report_on({base, other})));
        QVERIFY2(page.error.isEmpty(), qPrintable(page.error));
        QVERIFY(page.text.contains("The runs have no quantized module in common."));
        QVERIFY(page.text.contains("The recipes are the same."));
    }

    void theCommandLineSaysWhatWasRun() {
        ReportedRun run = reported_run();
        run.facts.config.model_dir = "/models/it's mine";
        run.facts.config.iters = 7;
        const QString line = QString::fromStdString(command_line_of(run.facts));
        for (const char* part : {"calibench-cli run", "--model '/models/it'\\''s mine'", "--dataset /texts/plays.txt", "--recipe /runs/tiny/recipe.yaml", "--num-samples 16", "--seq-len 64",
                                 "--iters 7", "--seed 42", "--dtype float32", "--device cpu", "--threads 2"})
            QVERIFY2(line.contains(QLatin1String(part)), part);
        QVERIFY(!line.contains("--batch-size"));
        run.facts.config.dataset.clear();
        QVERIFY(!QString::fromStdString(command_line_of(run.facts)).contains("--num-samples"));
    }

    void aFileIsWrittenWholeOrNotAtAll() {
        QTemporaryDir folder;
        const fs::path dir = folder.path().toStdString();
        write_report_file(dir / "report.html", "first");
        write_report_file(dir / "report.html", "second");
        QFile file(folder.filePath("report.html"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(file.readAll(), QByteArray("second"));
        QVERIFY_THROWS_EXCEPTION(InputError, write_report_file(dir, "x"));
        QVERIFY_THROWS_EXCEPTION(InputError, write_report_file(dir / "nowhere" / "report.html", "x"));
        QCOMPARE(QDir(folder.path()).entryList(QDir::AllEntries | QDir::NoDotAndDotDot | QDir::Hidden), QStringList{"report.html"});
    }
};

QTEST_GUILESS_MAIN(TestReportPages)
#include "tst_report_pages.moc"
