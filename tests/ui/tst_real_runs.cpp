#include <QDir>
#include <QSettings>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include "app/gui/core_services.h"
#include "tests/ui/fixtures.h"
#include "ui/actions.h"
#include "ui/format.h"
#include "ui/main_window.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/plots_page.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
#include "ui/runs/module_comparison.h"
#include "ui/runs/module_differences.h"
#include "ui/runs/recipe_diff_view.h"
#include "ui/runs/run_comparison.h"
#include "ui/runs/runs_model.h"
#include "ui/runs/runs_page.h"
#include "ui/theme.h"

using namespace calibench;
using State = RunController::State;

/// Two runs of the demo on the real core: the second does only what changed, and both are held against each other.
class TestRealRuns : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }
    void init() { test::failOnAnyWarning(); }

    void changeRerunCompareMeasure() {
        const QTemporaryDir folder;
        const QString ini = folder.filePath(QStringLiteral("settings.ini"));
        QSettings(ini, QSettings::IniFormat).setValue(QStringLiteral("run/workspace"), folder.filePath(QStringLiteral("runs")));
        Settings settings(ini);
        MainWindow window(coreServices(), settings, QStringLiteral(CALIBENCH_RESOURCES));
        window.show();
        window.openDemo();
        DataSettings data = window.session().data();
        data.numSamples = 4;
        data.seqLen = 32;
        data.iters = 5;
        window.session().setData(data);
        QTRY_VERIFY2_WITH_TIMEOUT(window.session().obstacle().isEmpty(), qPrintable(window.session().obstacle()), 20'000);
        QVERIFY(!window.actions().rerun->isEnabled());
        window.actions().run->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(window.controller().state(), State::Done, 120'000);

        // One block's projection stays as it is.
        window.session().changeRecipe(QString(window.session().recipe()).replace(QStringLiteral("ignore: [lm_head]"), QStringLiteral("ignore: [lm_head, model.layers.2.mlp.up_proj]")));
        QTRY_VERIFY2_WITH_TIMEOUT(window.actions().rerun->isEnabled(), qPrintable(window.actions().rerun->toolTip()), 20'000);
        QTRY_VERIFY2_WITH_TIMEOUT(window.actions().rerun->text().contains(QStringLiteral("from block 2")), qPrintable(window.actions().rerun->text()), 20'000);
        QVERIFY2(window.actions().rerun->toolTip().contains(QStringLiteral("up_proj")), qPrintable(window.actions().rerun->toolTip()));
        window.actions().rerun->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(window.controller().state(), State::Done, 120'000);
        const RunStarted started = *window.controller().record().started();
        QCOMPARE(started.reused_blocks, 2);
        QVERIFY(started.reuse_end.starts_with("model.layers.2: "));

        window.plots()->setCurrentTab(PlotsPage::Runs);
        RunsPage& page = *window.plots()->runsPage();
        QTRY_VERIFY_WITH_TIMEOUT(page.list().runs().size() == 2 && !page.list().busy() && page.list().countUnread() == 0, 20'000);
        const int second = page.list().find(toText(window.controller().config().run_dir));
        const QString a = page.list().runs()[static_cast<size_t>(1 - second)].directory, b = page.list().runs()[static_cast<size_t>(second)].directory;
        page.select({a, b});
        RunComparison& comparison = *page.comparison();
        QTRY_VERIFY_WITH_TIMEOUT(comparison.runs().runs().size() == 2 && comparison.runs().runs()[0].facts && comparison.runs().runs()[1].facts, 20'000);
        QVERIFY(comparison.recipe()->toPlainText().contains(QStringLiteral("+     ")) || comparison.recipe()->toPlainText().contains(QStringLiteral("model.layers.2.mlp.up_proj")));

        const QAbstractItemModel* modules = comparison.modules()->table()->model();
        int same = 0, gone = 0;
        for (int row = 0; row < modules->rowCount(); ++row) {
            const QString module = modules->index(row, 0).data(ModuleComparison::ModuleRole).toString();
            const QVariant difference = modules->index(row, ModuleComparison::columnOf(1, true)).data(ModuleComparison::SortRole);
            const bool before = module.contains(QStringLiteral("layers.0.")) || module.contains(QStringLiteral("layers.1."));
            if (before) {
                QCOMPARE(difference.toDouble(), 0.0);  // taken over
                ++same;
            }
            if (module == QStringLiteral("model.layers.2.mlp.up_proj")) {
                QVERIFY(!difference.isValid());
                ++gone;
            }
        }
        QCOMPARE(same, 14);
        QCOMPARE(gone, 1);

        // Names and perplexity are kept beside the run.
        const int first = page.list().find(a);
        RunNotes notes = page.list().runs()[static_cast<size_t>(first)].notes;
        notes.title = "All in 4 bits";
        page.list().setNotes(first, notes);
        PerplexityOptions options;
        options.text = std::filesystem::path(CALIBENCH_RESOURCES) / "demo" / "shakespeare.txt";
        options.seq_len = 64;
        options.max_tokens = 256;
        page.perplexity().start(*page.list().runs()[static_cast<size_t>(first)].facts, options, {});
        QTRY_VERIFY_WITH_TIMEOUT(!page.perplexity().busy(), 60'000);
        const auto stored = [&] { return coreServices().readNotes(toPath(a)); };
        QTRY_VERIFY_WITH_TIMEOUT(stored().perplexity.has_value(), 20'000);
        QCOMPARE(stored().title, std::string("All in 4 bits"));
        QVERIFY(stored().perplexity->quantized > 1 && stored().perplexity->original > 1);
    }
};

QTEST_MAIN(TestRealRuns)
#include "tst_real_runs.moc"
