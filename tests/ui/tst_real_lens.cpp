#include <QFile>
#include <QPushButton>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>

#include <numeric>

#include <nlohmann/json.hpp>

#include "app/gui/core_services.h"
#include "tests/ui/fixtures.h"
#include "ui/actions.h"
#include "ui/format.h"
#include "ui/lens/error_page.h"
#include "ui/lens/error_split.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/readings.h"
#include "ui/lens/stored_size.h"
#include "ui/lens/what_if_panel.h"
#include "ui/main_window.h"
#include "ui/overview/metric.h"
#include "ui/overview/overview_loader.h"
#include "ui/overview/overview_model.h"
#include "ui/overview/overview_page.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/plots_page.h"
#include "ui/plots/qcustomplot.h"
#include "ui/theme.h"

using namespace calibench;
using State = RunController::State;

namespace {

/// Bytes of all tensors of a module in a checkpoint of one file.
int64_t bytesOf(const std::filesystem::path& checkpoint, const std::string& module) {
    QFile file(toText(checkpoint / "model.safetensors"));
    if (!file.open(QIODevice::ReadOnly)) return -1;
    uint64_t length = 0;
    file.read(reinterpret_cast<char*>(&length), 8);
    const auto header = nlohmann::json::parse(file.read(static_cast<qint64>(length)).toStdString());
    int64_t bytes = 0;
    for (const auto& [name, tensor] : header.items())
        if (name.starts_with(module + ".")) bytes += tensor["data_offsets"][1].get<int64_t>() - tensor["data_offsets"][0].get<int64_t>();
    return bytes;
}

}  // namespace

/// The Error tab, its questions and the Overview on the bundled demo, with the real core.
class TestRealLens : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }

    void init() {
        test::failOnAnyWarning();
        m_folder = std::make_unique<QTemporaryDir>();
        QSettings(m_folder->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), m_folder->filePath(QStringLiteral("runs")));
        m_settings = std::make_unique<Settings>(m_folder->filePath(QStringLiteral("settings.ini")));
        m_window = std::make_unique<MainWindow>(coreServices(), *m_settings, QStringLiteral(CALIBENCH_RESOURCES));
        m_window->show();
        m_window->openDemo();
        m_window->openRecipe(QStringLiteral(CALIBENCH_RESOURCES "/recipes/rtn_w8a16.yaml"));
        DataSettings data = m_window->session().data();
        data.numSamples = 4;
        data.seqLen = 32;
        m_window->session().setData(data);
        QTRY_VERIFY2_WITH_TIMEOUT(m_window->session().obstacle().isEmpty(), qPrintable(m_window->session().obstacle()), 20'000);
        m_window->plots()->setCurrentTab(PlotsPage::Error);
        m_window->session().selectModule(QString::fromLatin1(Module));
        settle();
    }

    void cleanup() { m_window.reset(); }

    void numbersAreTheCores() {
        const ResolvedModule& module = resolved();
        WeightRequest request;
        request.model_dir = toPath(m_window->session().modelFolder());
        request.module = module.name;
        request.weights = module.scheme.weights;
        const auto expected = m_window->session().services().inspectWeight(request);
        QCOMPARE(page().microscope().slides().size(), 1u);
        QCOMPARE(page().readings()->text(QStringLiteral("SQNR"), 0), formatNumber(expected->facts().sqnr_db) + QStringLiteral(" dB"));
        QCOMPARE(page().readings()->text(QStringLiteral("Largest error"), 0), formatNumber(expected->facts().max_abs_error));
        const ValueDistribution& weights = page().histograms()->distribution(HistogramPlot::Weights);
        QCOMPARE(std::accumulate(weights.histogram.counts.begin(), weights.histogram.counts.end(), int64_t{0}), expected->facts().rows * expected->facts().columns);
        QCOMPARE(weights.grids.front().levels, expected->levels(expected->facts().max_error_row, expected->facts().max_error_column));
    }

    void largestErrorIsSeenAtEveryZoom() {
        MapPlot* map = page().map();
        const WeightFacts facts = page().microscope().slides().front().weight->facts();
        QCPAxisRect* panel = map->findChild<QCustomPlot*>()->axisRect(0);
        for (double width = 900; width > 3; width /= 3) {
            panel->axis(QCPAxis::atBottom)->setRange(static_cast<double>(facts.max_error_column) - width / 3, static_cast<double>(facts.max_error_column) + width / 2);
            panel->axis(QCPAxis::atLeft)->setRange(static_cast<double>(facts.max_error_row) - width / 2, static_cast<double>(facts.max_error_row) + width / 3);
            settle();
            const auto cell = map->cells(0)->largest();
            QVERIFY(cell.has_value());
            QCOMPARE(std::abs(map->cells(0)->detail().values[static_cast<size_t>(*cell)]), static_cast<float>(facts.max_abs_error));
        }
    }

    void warnsOfOnePartOfAFusedLayer() {
        const QString attention = QStringLiteral("model.layers.0.self_attn.");
        m_window->session().selectModule(attention + QStringLiteral("q_proj"));
        settle();
        WhatIfStrip* strip = page().whatIf()->strip();
        page().showWhatIf(true);
        WhatIf question = strip->question();
        question.weights->num_bits = 4;
        strip->propose(question);
        QTRY_VERIFY2_WITH_TIMEOUT(strip->warning().contains(QStringLiteral("as one layer and refuses different schemes")), qPrintable(strip->warning()), 20'000);
        QVERIFY(strip->warning().contains(attention + QStringLiteral("qkv_proj")));
        m_window->session().pickModules({attention + QStringLiteral("q_proj"), attention + QStringLiteral("k_proj"), attention + QStringLiteral("v_proj")});
        QTRY_VERIFY_WITH_TIMEOUT(strip->warning().isEmpty() && page().settled(), 20'000);
    }

    void whatIfIsWhatARunThenDoes_data() {
        QTest::addColumn<QString>("preset");
        QTest::addColumn<int>("groupSize");
        QTest::addRow("integers") << QStringLiteral("W4A16") << 64;
        QTest::addRow("floats") << QStringLiteral("NVFP4A16") << 16;
    }
    void whatIfIsWhatARunThenDoes() {
        QFETCH(QString, preset);
        QFETCH(int, groupSize);
        WhatIfStrip* strip = page().whatIf()->strip();
        page().showWhatIf(true);
        WhatIf question = strip->question();
        question.weights = m_window->session().services().presetScheme(preset.toStdString()).weights;
        question.weights->group_size = groupSize;
        strip->propose(question);
        QTRY_COMPARE_WITH_TIMEOUT(page().microscope().slides().back().kind, Slide::Kind::WhatIf, 20'000);
        const auto asked = page().microscope().slides().back().weight;
        QVERIFY2(strip->effect().contains(QStringLiteral("→")), qPrintable(strip->effect()));
        QVERIFY2(strip->applyButton()->isEnabled(), qPrintable(strip->applyButton()->toolTip()));
        strip->applyButton()->click();
        QTRY_VERIFY_WITH_TIMEOUT(m_window->session().obstacle().isEmpty() && resolved().scheme.weights->num_bits == 4, 20'000);
        QVERIFY(m_window->session().recipe().contains(QStringLiteral("num_bits: 4")));

        m_window->actions().run->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->controller().active(), 240'000);
        QVERIFY2(m_window->controller().state() == State::Done, qPrintable(m_window->messages()->text()));
        settle();
        const std::vector<Slide> slides = page().microscope().slides();
        QVERIFY2(slides.size() == 2, qPrintable(page().microscope().problem()));
        QCOMPARE(slides[1].kind, Slide::Kind::Left);
        QCOMPARE(slides[1].weight->scales().values, asked->scales().values);
        QCOMPARE(slides[1].weight->facts().max_abs_error, asked->facts().max_abs_error);
        QVERIFY(page().readings()->split()->localShare().has_value());
        QVERIFY(page().microscope().input());
        // The size that was promised is that of the checkpoint.
        const std::filesystem::path checkpoint = m_window->controller().summary()->output_dir;
        QVERIFY2(promised(*question.weights) == bytesOf(checkpoint, Module), qPrintable(QString::number(bytesOf(checkpoint, Module))));

        m_window->plots()->setCurrentTab(PlotsPage::Overview);
        OverviewPage* overview = m_window->plots()->overviewPage();
        QTRY_VERIFY_WITH_TIMEOUT(overview->loader().complete(), 60'000);
        QCOMPARE(overview->loader().modules().size(), 28u);
        for (size_t i = 0; i < 28; ++i) {
            const ModuleOverview& row = *overview->loader().row(i);
            QVERIFY2(row.problem.empty(), row.problem.c_str());
            QVERIFY(row.output.has_value() && row.input.has_value());
            // The run's own figure is of the weight as it computed with it, which may be rounded once more.
            const double sqnr = m_window->controller().record().find(row.weight.module)->sqnrDb.value();
            QVERIFY2(std::abs(row.weight.sqnr_db - sqnr) < 0.5, qPrintable(QStringLiteral("%1 %2").arg(row.weight.sqnr_db).arg(sqnr)));
            WeightRequest request;
            request.model_dir = toPath(m_window->session().modelFolder());
            request.module = row.weight.module;
            request.checkpoint_dir = checkpoint;
            QCOMPARE(row.weight.sqnr_db, m_window->session().services().inspectWeight(request)->facts().sqnr_db);
        }
    }

private:
    static constexpr const char* Module = "model.layers.1.mlp.down_proj";

    ErrorPage& page() { return *m_window->plots()->errorPage(); }

    void settle() {
        QTRY_VERIFY_WITH_TIMEOUT(page().settled() && page().microscope().state() == Microscope::State::Ready, 20'000);
        QCoreApplication::processEvents();
        QTRY_VERIFY_WITH_TIMEOUT(page().settled(), 20'000);
    }

    const ResolvedModule& resolved() {
        const auto& modules = m_window->session().resolvedModules();
        return *std::find_if(modules.begin(), modules.end(), [](const ResolvedModule& module) { return module.name == Module; });
    }

    int64_t promised(const QuantizationArgs& args) {
        for (const ModuleInfo& module : m_window->session().model().modules)
            if (module.name == Module) return storedBytes(module, &args);
        return -1;
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<Settings> m_settings;
    std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(TestRealLens)
#include "tst_real_lens.moc"
