#include <QDir>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include <algorithm>

#include "app/gui/core_services.h"
#include "tests/ui/fixtures.h"
#include "ui/actions.h"
#include "ui/checkpoint_export.h"
#include "ui/main_window.h"
#include "ui/models/model_tree_model.h"
#include "ui/panels/message_bar.h"
#include "ui/plots/token_plot.h"
#include "ui/theme.h"

using namespace calibench;
using State = RunController::State;

/// The bundled demos, from the folder to the checkpoint, through the window.
class TestRealRun : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }

    void init() {
        test::failOnAnyWarning();
        m_folder = std::make_unique<QTemporaryDir>();
        QSettings(m_folder->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat)
            .setValue(QStringLiteral("run/workspace"), m_folder->filePath(QStringLiteral("runs")));
        m_settings = std::make_unique<Settings>(m_folder->filePath(QStringLiteral("settings.ini")));
        m_window = std::make_unique<MainWindow>(coreServices(), *m_settings, QStringLiteral(CALIBENCH_RESOURCES));
        m_window->show();
    }

    void cleanup() { m_window.reset(); }

    void demoRunsToACheckpoint() {
        m_window->openDemo();
        shrink(4, 32, 5);
        QTRY_VERIFY2_WITH_TIMEOUT(m_window->session().obstacle().isEmpty(), qPrintable(m_window->session().obstacle()), 20'000);
        m_window->actions().run->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->controller().active(), 240'000);
        QVERIFY2(m_window->controller().state() == State::Done, qPrintable(m_window->messages()->text()));

        const RunRecord& record = m_window->controller().record();
        QCOMPARE(record.blocks().size(), 4u);
        for (const BlockRecord& block : record.blocks()) {
            QCOMPARE(block.losses().size(), 5u);
            QVERIFY(block.result && block.best());
            QVERIFY(block.best()->y <= block.losses().points().front().y);
            QCOMPARE(block.best()->y, block.result->best_loss_mse);
        }
        QCOMPARE(std::count_if(record.modules().begin(), record.modules().end(), [](const ModuleRecord& m) { return m.weight && m.input && m.sqnrDb; }), 28);
        QCOMPARE(inspectCheckpoint(m_window->controller().summary()->output_dir).format, std::string("pack-quantized"));
        QVERIFY(QFileInfo::exists(QString::fromStdString((m_window->controller().config().run_dir / "events.jsonl").string())));
    }

    void expertsAreCounted() {
        const QDir resources(QStringLiteral(CALIBENCH_RESOURCES));
        m_window->openModel(resources.filePath(QStringLiteral("demo/tiny-qwen3-moe-shakespeare")));
        m_window->openData(resources.filePath(QStringLiteral("demo/shakespeare.txt")));
        m_window->openRecipe(resources.filePath(QStringLiteral("recipes/autoround_w4a16_g64.yaml")));
        shrink(4, 32, 0);
        QTRY_VERIFY2_WITH_TIMEOUT(m_window->session().obstacle().isEmpty(), qPrintable(m_window->session().obstacle()), 20'000);
        m_window->actions().run->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->controller().active(), 240'000);
        QVERIFY2(m_window->controller().state() == State::Done, qPrintable(m_window->messages()->text()));
        const TokenPlot::Grid grid = TokenPlot::gridOf(m_window->controller().record());
        QCOMPARE(grid.experts, 8);
        QCOMPARE(grid.blocks, 3);
        for (int block = 0; block < 3; ++block) QCOMPARE(grid.total(block), 4 * 32 * 2);  // every token goes to two experts
    }

    void aTextThatIsTooShortIsRefusedInPlace() {
        QFile text(m_folder->filePath(QStringLiteral("short.txt")));
        QVERIFY(text.open(QIODevice::WriteOnly));
        text.write("To be.");
        text.close();
        m_window->openDemo();
        m_window->openData(text.fileName());
        QTRY_VERIFY2_WITH_TIMEOUT(m_window->session().obstacle().isEmpty(), qPrintable(m_window->session().obstacle()), 20'000);
        m_window->actions().run->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(m_window->controller().state(), State::Failed, 60'000);
        QVERIFY2(m_window->messages()->text().contains(QStringLiteral("short.txt")), qPrintable(m_window->messages()->text()));
        QVERIFY(m_window->actions().run->isEnabled());
        QVERIFY(!m_window->actions().exportCheckpoint->isEnabled());
    }

private:
    void shrink(int samples, int length, int iters) {
        DataSettings data = m_window->session().data();
        data.numSamples = samples;
        data.seqLen = length;
        data.iters = iters;
        m_window->session().setData(data);
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<Settings> m_settings;
    std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(TestRealRun)
#include "tst_real_run.moc"
