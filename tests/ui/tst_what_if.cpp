#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardItemModel>
#include <QTest>

#include "tests/ui/lens_bench.h"
#include "ui/english_plurals.h"
#include "ui/lens/error_page.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/readings.h"
#include "ui/lens/stored_size.h"
#include "ui/lens/what_if_panel.h"
#include "ui/panels/state_page.h"
#include "ui/theme.h"

using namespace calibench;
using test::PlainInspection;

namespace {

const QString Q0 = QStringLiteral("model.layers.0.self_attn.q_proj");
const QString K0 = QStringLiteral("model.layers.0.self_attn.k_proj");

/// The Error tab with the question's controls open, on the fake core.
struct Asked : test::LensBench {
    explicit Asked(const QString& module = Q0, bool afterRun = false, CoreServices services = test::lensCore()) : LensBench(std::move(services)), page(session, controller) {
        if (afterRun) run();
        session.selectModule(module);
        page.resize(1100, 800);
        page.show();
        page.showWhatIf(true);
        settle();
    }
    void settle() {
        if (!QTest::qWaitFor([this] { return page.settled(); }, 5000)) qFatal("the page does not settle");
        QCoreApplication::processEvents();
    }
    template <typename Box>
    [[nodiscard]] Box* control(const char* name) const {
        for (Box* box : page.whatIf()->findChildren<Box*>())
            if (box->accessibleName() == QLatin1String(name)) return box;
        qFatal("there is no control %s", name);
    }
    void choose(const char* name, const QString& text) {
        auto* box = control<QComboBox>(name);
        const int index = box->findText(text);
        if (index < 0) qFatal("%s does not offer %s", name, qPrintable(text));
        box->setCurrentIndex(index);
        settle();
    }
    /// Waits for the answer to what the controls say.
    [[nodiscard]] bool answered() {
        return QTest::qWaitFor([this] {
            const std::vector<Slide> slides = page.microscope().slides();
            return page.settled() && !slides.empty() && slides.back().kind == Slide::Kind::WhatIf;
        }, 5000);
    }
    [[nodiscard]] WhatIfStrip* strip() const { return page.whatIf()->strip(); }

    ErrorPage page;
};

PlainInspection plain(const QString& module, const QuantizationArgs& args) {
    return {module.toStdString(), test::plainWeight(module.toStdString(), test::PlainRows, test::PlainColumns), test::PlainRows, test::PlainColumns, args};
}

}  // namespace

class TestWhatIf : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        installStyle();
        QCoreApplication::installTranslator(new EnglishPlurals(qApp));
    }
    void init() { test::failOnAnyWarning(); }

    void answersStandBesideWhatIsNow() {
        Asked asked;
        QVERIFY(!asked.strip()->applyButton()->isEnabled());
        asked.choose("Weights: format", QStringLiteral("8 bits"));
        QVERIFY(asked.answered());
        const std::vector<Slide> slides = asked.page.microscope().slides();
        QCOMPARE(slides.size(), 2u);
        const PlainInspection now = plain(Q0, {.num_bits = 4, .group_size = 8, .strategy = Strategy::Group});
        const PlainInspection then = plain(Q0, {.num_bits = 8, .group_size = 8, .strategy = Strategy::Group});
        QCOMPARE(slides[1].weight->scales().values, then.scales().values);
        QCOMPARE(asked.page.readings()->text(QStringLiteral("SQNR"), 1), formatNumber(then.facts().sqnr_db) + QStringLiteral(" dB"));
        const QString effect = asked.strip()->effect();
        QVERIFY2(effect.startsWith(QStringLiteral("SQNR %1 → %2 dB (+%3)").arg(formatNumber(now.facts().sqnr_db), formatNumber(then.facts().sqnr_db),
                                                                              formatNumber(then.facts().sqnr_db - now.facts().sqnr_db))), qPrintable(effect));
        // 32 rows: 16 values of 4 or 8 bits, two scales of 2 bytes; and the shape.
        QVERIFY2(effect.contains(QStringLiteral("%1 → %2 (+64 %)").arg(formatBytes(32 * (8 + 4) + 16), formatBytes(32 * (16 + 4) + 16))), qPrintable(effect));
        QCOMPARE(asked.page.histograms()->distribution(HistogramPlot::Weights).grids.size(), 2u);
        QCOMPARE(asked.page.histograms()->distribution(HistogramPlot::Weights).grids[1].levels.size(), 256u);
        QVERIFY(asked.page.map()->cells(1));
    }

    void choicesFollowEachOther() {
        Asked asked;
        auto* size = asked.control<QComboBox>("Weights: group size");
        auto* percentile = asked.control<QDoubleSpinBox>("Weights: range percentile");
        QVERIFY(size->isEnabled() && !percentile->isEnabled());
        QVERIFY(percentile->toolTip().contains(QStringLiteral("histogram")));
        QCOMPARE(size->findText(QStringLiteral("512")), -1);  // 16 columns
        asked.choose("Weights: scale per", QStringLiteral("channel"));
        QVERIFY(!size->isEnabled());
        QCOMPARE(asked.strip()->question().weights->group_size, std::nullopt);
        asked.choose("Weights: scale per", QStringLiteral("group"));
        QCOMPARE(asked.strip()->question().weights->group_size, std::optional<int64_t>(16));
        asked.choose("Weights: observer", QStringLiteral("mse"));
        QCOMPARE(asked.strip()->question().weights->observer, std::optional<std::string>("mse"));
        asked.choose("Inputs: scale per", QStringLiteral("token, dynamic"));
        QCOMPARE(asked.strip()->question().inputs->dynamic, Dynamic::Yes);
        QCOMPARE(asked.strip()->question().inputs->strategy, std::optional(Strategy::Token));
        QVERIFY(!asked.control<QComboBox>("Inputs: observer")->isEnabled());
    }

    void floatsBringTheirGroupsAndIntegersComeBack() {
        Asked asked;
        const WhatIf begun = asked.strip()->question();
        auto* strategy = asked.control<QComboBox>("Weights: scale per");
        asked.choose("Weights: format", QStringLiteral("NVFP4"));
        QVERIFY(asked.answered());
        QCOMPARE(asked.strip()->question().weights, asked.session.services().presetScheme("NVFP4").weights);
        QCOMPARE(strategy->currentText(), QStringLiteral("tensor_group"));
        QVERIFY(!strategy->isEnabled() && !asked.control<QComboBox>("Weights: group size")->isEnabled() && !asked.control<QCheckBox>("Weights: symmetric")->isEnabled());
        QVERIFY(strategy->toolTip().contains(QStringLiteral("NVFP4 prescribes it.")));
        asked.choose("Weights: observer", QStringLiteral("mse"));
        QCOMPARE(asked.strip()->question().weights->strategy, std::optional(Strategy::TensorGroup));
        QCOMPARE(asked.strip()->question().weights->observer, std::optional<std::string>("mse"));

        asked.choose("Weights: format", QStringLiteral("FP8"));
        QCOMPARE(asked.strip()->question().weights->strategy, std::optional(Strategy::Channel));
        QVERIFY(strategy->isEnabled());
        const auto* items = qobject_cast<QStandardItemModel*>(strategy->model());
        QVERIFY(!items->item(strategy->findText(QStringLiteral("group")))->isEnabled() && items->item(strategy->findText(QStringLiteral("tensor")))->isEnabled());
        for (const char* format : {"MXFP4", "MXFP8"}) {
            asked.choose("Weights: format", QString::fromLatin1(format));
            QCOMPARE(asked.control<QComboBox>("Weights: format")->currentText(), QString::fromLatin1(format));
        }
        asked.choose("Weights: format", QStringLiteral("4 bits"));
        QVERIFY(asked.strip()->question() == begun);
        asked.choose("Inputs: format", QStringLiteral("FP8"));
        QCOMPARE(asked.strip()->question().inputs, asked.session.services().presetScheme("FP8_DYNAMIC").input_activations);
        asked.choose("Inputs: format", QStringLiteral("NVFP4"));
        QCOMPARE(asked.strip()->question().inputs->dynamic, Dynamic::Local);
        asked.choose("Inputs: format", QStringLiteral("8 bits"));
        QVERIFY(asked.strip()->question() == begun);
    }

    void floatsBecomeIntegersOfAUsualGroup() {
        CoreServices services = test::lensCore();
        services.resolveRecipe = [resolve = services.resolveRecipe, preset = services.presetScheme](const Recipe& recipe, const ModelSummary& model) {
            ResolvedRecipe resolved = resolve(recipe, model);
            for (ResolvedModule& module : resolved.modules) module.scheme = preset("NVFP4");
            return resolved;
        };
        Asked asked(Q0, false, std::move(services));
        QCOMPARE(asked.control<QComboBox>("Weights: format")->currentText(), QStringLiteral("NVFP4"));
        asked.choose("Weights: format", QStringLiteral("4 bits"));
        QVERIFY(asked.strip()->question().weights == (QuantizationArgs{.num_bits = 4, .group_size = 16, .strategy = Strategy::Group}));  // of 16 columns
        QCOMPARE(asked.control<QComboBox>("Inputs: format")->currentText(), QStringLiteral("NVFP4"));
        asked.choose("Inputs: format", QStringLiteral("8 bits"));
        QVERIFY(asked.strip()->question().inputs == (QuantizationArgs{.num_bits = 8, .strategy = Strategy::Token, .dynamic = Dynamic::Yes}));
    }

    void inputsAreAnsweredWithTheirBound() {
        Asked asked(Q0, true);
        asked.choose("Inputs: format", QStringLiteral("4 bits"));
        QVERIFY(asked.answered());
        QVERIFY2(asked.strip()->effect().contains(QStringLiteral("inputs 48.2 → 24.1 dB (-24.1) ± 0.25")), qPrintable(asked.strip()->effect()));
        const auto& grids = asked.page.histograms()->distribution(HistogramPlot::Inputs).grids;
        QCOMPARE(grids.size(), 2u);
        QCOMPARE(grids[1].levels.size(), 16u);
    }

    void withoutARunInputsSayWhy() {
        Asked asked;
        asked.choose("Inputs: format", QStringLiteral("4 bits"));
        QVERIFY(asked.answered());
        QVERIFY2(asked.strip()->effect().contains(QStringLiteral("no run has looked at them yet")), qPrintable(asked.strip()->effect()));
        Asked other(K0);  // whose inputs stay as they are
        QVERIFY(!other.control<QComboBox>("Inputs: format")->isVisible());
    }

    void resetGoesBackAndAnotherModuleAsksNothing() {
        Asked asked;
        asked.choose("Weights: format", QStringLiteral("2 bits"));
        QVERIFY(asked.answered());
        asked.strip()->resetButton()->click();
        QCOMPARE(asked.page.microscope().slides().size(), 1u);
        QCOMPARE(asked.control<QComboBox>("Weights: format")->currentText(), QStringLiteral("4 bits"));
        QVERIFY(asked.strip()->effect().isEmpty() && !asked.strip()->resetButton()->isEnabled());
        asked.choose("Weights: format", QStringLiteral("2 bits"));
        asked.session.selectModule(K0);
        asked.settle();
        QCOMPARE(asked.page.microscope().slides().size(), 1u);
        QCOMPARE(asked.control<QComboBox>("Weights: format")->currentText(), QStringLiteral("4 bits"));
    }

    void manyChangesAskForTheLastOnly() {
        CoreServices services = test::lensCore();
        const auto count = std::make_shared<std::atomic<int>>(0);
        services.inspectWeight = [inspect = services.inspectWeight, count](const WeightRequest& request) {
            ++*count;
            QThread::msleep(30);
            return inspect(request);
        };
        Asked asked(Q0, false, std::move(services));
        const int before = *count;
        auto* bits = asked.control<QComboBox>("Weights: format");
        for (int round = 0; round < 10; ++round)
            for (int i = 0; i <= bits->findText(QStringLiteral("8 bits")); ++i) bits->setCurrentIndex(i);
        QTRY_COMPARE(asked.page.microscope().slides().back().weight->facts().scheme, std::string("W8 g8 sym"));
        QVERIFY2(*count - before <= 3, qPrintable(QString::number(*count - before)));
    }

    void applyWritesAnOverrideForAllThatArePicked() {
        Asked asked;
        asked.session.pickModules({Q0, K0});
        asked.choose("Weights: format", QStringLiteral("8 bits"));
        QVERIFY(asked.answered());
        QTRY_VERIFY2(asked.strip()->effect().contains(QStringLiteral("mean SQNR")), qPrintable(asked.strip()->effect()));
        const double now = (plain(Q0, {.num_bits = 4, .group_size = 8, .strategy = Strategy::Group}).facts().sqnr_db + plain(K0, {.num_bits = 4, .group_size = 8, .strategy = Strategy::Group}).facts().sqnr_db) / 2;
        QVERIFY(asked.strip()->effect().startsWith(QStringLiteral("2 modules · mean SQNR %1 →").arg(formatNumber(now))));
        const QString before = asked.session.recipe();
        asked.strip()->applyButton()->click();
        QTRY_COMPARE(asked.session.recipe(), before + QStringLiteral("# W8 g8: %1, %2\n").arg(Q0, K0));
    }

    void inputsOfAllThatArePickedAreAnswered() {
        CoreServices services = test::lensCore();
        services.resolveRecipe = [resolve = services.resolveRecipe](const Recipe& recipe, const ModelSummary& model) {
            ResolvedRecipe resolved = resolve(recipe, model);
            for (ResolvedModule& module : resolved.modules) module.scheme.input_activations = QuantizationArgs{.num_bits = 8, .strategy = Strategy::Tensor};
            return resolved;
        };
        Asked asked(Q0, true, services);
        asked.session.pickModules({Q0, K0});
        asked.choose("Inputs: format", QStringLiteral("4 bits"));
        const QString expected = QStringLiteral("inputs 48.2 → 24.1 dB (-24.1) ± 0.25");
        QTRY_VERIFY2(asked.strip()->effect().contains(expected), qPrintable(asked.strip()->effect()));
        Asked before(Q0, false, services);
        before.session.pickModules({Q0, K0});
        before.choose("Inputs: format", QStringLiteral("4 bits"));
        QTRY_VERIFY2(before.strip()->effect().contains(QStringLiteral("no run has looked at them yet")), qPrintable(before.strip()->effect()));
    }

    void whatVllmWouldRefuseIsSaid() {
        CoreServices services = test::lensCore();
        services.checkServing = [](const Recipe& recipe, const ResolvedRecipe& resolved, const ModelSummary&) {
            std::vector<Diagnostic> findings{{Diagnostic::Severity::Note, "needs a new GPU"}, {Diagnostic::Severity::Error, "was wrong before"}};
            const auto bits = [&](const QString& name) {
                const auto module = std::find_if(resolved.modules.begin(), resolved.modules.end(), [&](const ResolvedModule& each) { return each.name == name.toStdString(); });
                return module->scheme.weights->num_bits;
            };
            if (recipe.modifiers.size() == 1 && bits(Q0) != bits(K0)) findings.push_back({Diagnostic::Severity::Error, "q and k are one layer"});
            return findings;
        };
        Asked asked(Q0, false, std::move(services));
        QVERIFY(asked.strip()->warning().isEmpty());
        asked.choose("Weights: format", QStringLiteral("8 bits"));
        QTRY_COMPARE(asked.strip()->warning(), QStringLiteral("q and k are one layer"));
        QVERIFY(asked.strip()->applyButton()->isEnabled());
        asked.session.pickModules({Q0, K0});
        QTRY_VERIFY(asked.strip()->warning().isEmpty() && asked.page.settled());
        asked.session.pickModules({Q0});
        QTRY_COMPARE(asked.strip()->warning(), QStringLiteral("q and k are one layer"));
        asked.strip()->resetButton()->click();
        QVERIFY(asked.strip()->warning().isEmpty());
    }

    void aRunAtWorkKeepsTheRecipe() {
        CoreServices services = test::lensCore();
        services.runCalibration = [](const RunConfig&, RunListener&, RunControl& control) -> RunSummary {
            for (;;) {
                control.checkpoint();
                QThread::msleep(1);
            }
        };
        Asked asked(Q0, false, std::move(services));
        asked.choose("Weights: format", QStringLiteral("8 bits"));
        QVERIFY(asked.answered() && asked.strip()->applyButton()->isEnabled());
        asked.controller.start({}, asked.session.model());
        QVERIFY(!asked.strip()->applyButton()->isEnabled());
        QVERIFY(asked.strip()->applyButton()->toolTip().contains(QStringLiteral("A run is at work.")));
    }

    void whatCannotBeIsSaidInPlace() {
        CoreServices services = test::lensCore();
        services.inspectWeight = [inspect = services.inspectWeight](const WeightRequest& request) {
            if (request.weights && request.weights->num_bits == 3) throw InputError("3 bits cannot be looked at here. Use 4.");
            return inspect(request);
        };
        Asked asked(Q0, false, std::move(services));
        asked.choose("Weights: format", QStringLiteral("3 bits"));
        QTRY_VERIFY(asked.strip()->applyButton()->toolTip().contains(QStringLiteral("3 bits cannot be looked at here. Use 4.")));
        QVERIFY(asked.page.findChild<StatePage*>()->showsContent());
        QCOMPARE(asked.page.microscope().slides().size(), 1u);
    }

    void anUnquantizedModuleCanBeAskedAbout() {
        Asked asked(QStringLiteral("lm_head"));
        auto* page = asked.page.findChild<StatePage*>();
        QVERIFY(!page->showsContent());
        QPushButton* button = nullptr;
        for (auto* shown : page->findChildren<QPushButton*>())
            if (shown->text() == QStringLiteral("What if it were quantized")) button = shown;
        QVERIFY(button && button->isVisible());
        button->click();
        QVERIFY(asked.answered());
        QVERIFY(page->showsContent());
        QVERIFY2(asked.strip()->effect().contains(QLatin1Char('%')), qPrintable(asked.strip()->effect()));
        QVERIFY(asked.strip()->applyButton()->isEnabled());
    }

    void sizesAreThoseOfTheFormat() {
        QCOMPARE(storedBytes({.num_bits = 4, .group_size = 64, .strategy = Strategy::Group}, 576, 576, 2), 576 * 288 + 576 * 9 * 2 + 16);
        QCOMPARE(storedBytes({.num_bits = 3, .strategy = Strategy::Channel}, 10, 21, 2), 10 * 8 + 10 * 2 + 16);  // 63 bits: two words
        QCOMPARE(storedBytes({.num_bits = 4, .symmetric = false, .group_size = 32, .strategy = Strategy::Group}, 64, 64, 2), 64 * 32 + 64 * 2 * 2 + 2 * 32 + 16);
        QCOMPARE(storedBytes({.num_bits = 4, .type = QuantizationType::Float, .group_size = 16, .strategy = Strategy::TensorGroup}, 64, 64, 2), 64 * 32 + 64 * 4 + 4);
        QCOMPARE(storedBytes({.num_bits = 8, .type = QuantizationType::Float, .strategy = Strategy::Channel}, 64, 64, 2), 64 * 64 + 64 * 2);
        QCOMPARE(storedBytes({.num_bits = 8, .type = QuantizationType::Float, .group_size = 32, .strategy = Strategy::Group, .scale_dtype = DType::UInt8}, 64, 64, 2), 64 * 64 + 64 * 2);
    }
};

QTEST_MAIN(TestWhatIf)
#include "tst_what_if.moc"
