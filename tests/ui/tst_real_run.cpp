#include <QAbstractItemModelTester>
#include <QAbstractItemView>
#include <QDir>
#include <QDropEvent>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QSpinBox>
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
#include "ui/panels/intervene_panel.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/module_actions.h"
#include "ui/plots/token_grid.h"
#include "ui/project/project_document.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_panel.h"
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
        const TokenGrid grid = TokenGrid::of(m_window->controller().record());
        QCOMPARE(grid.experts, 8);
        QCOMPARE(grid.blocks, 3);
        for (int block = 0; block < 3; ++block) QCOMPARE(grid.blockTotals[static_cast<size_t>(block)], 4 * 32 * 2);  // every token goes to two experts
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

    void aRecipeIsTunedAndItsRunSteeredStoppedContinuedAndReopened() {
        dropDemo();
        watchModels();
        QTRY_VERIFY2_WITH_TIMEOUT(m_window->session().obstacle().isEmpty(), qPrintable(m_window->session().obstacle()), 20'000);
        shrink(4, 32, -1);
        tuneTheRecipe();
        if (QTest::currentTestFailed()) return;
        steerTheRun();
        if (QTest::currentTestFailed()) return;
        stopAndContinue();
        if (QTest::currentTestFailed()) return;
        reopen();
    }

private:
    static constexpr const char* Overridden = "model.layers.1.mlp.down_proj";
    static constexpr int LongTuning = 150;  // iterations: long enough for somebody to step in

    /// Model, text and a recipe of the user's own, all at once.
    void dropDemo() {
        const QString demo = QStringLiteral(CALIBENCH_RESOURCES "/demo/");
        const QString recipe = m_folder->filePath(QStringLiteral("mine.yaml"));
        QVERIFY(QFile::copy(QStringLiteral(CALIBENCH_RESOURCES "/recipes/autoround_w4a16_g64.yaml"), recipe));
        QVERIFY(QFile(recipe).setPermissions(QFile::ReadOwner | QFile::WriteOwner));
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(demo + QStringLiteral("tiny-llama-shakespeare")), QUrl::fromLocalFile(demo + QStringLiteral("shakespeare.txt")),
                      QUrl::fromLocalFile(recipe)});
        QDragEnterEvent enter({20, 20}, Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(m_window.get(), &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(20, 20), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(m_window.get(), &drop);
    }

    /// From here on every item model of the window's own is under test.
    void watchModels() {
        QSet<QAbstractItemModel*> models;
        for (const auto* view : m_window->findChildren<QAbstractItemView*>())
            if (view->model() && QLatin1String(view->model()->metaObject()->className()).startsWith(QLatin1String("calibench::"))) models.insert(view->model());
        QVERIFY(models.size() >= 3);  // tree, log, warnings
        for (QAbstractItemModel* model : models) new QAbstractItemModelTester(model, m_window.get());
    }

    /// An override by the tree, taken back and made again; the iterations by the form; a comment in the YAML.
    void tuneTheRecipe() {
        Session& session = m_window->session();
        RecipePanel& recipe = *m_window->recipePanel();
        const QString before = recipe.editor()->text();
        const QString of = QString::fromLatin1(Overridden), scheme = session.schemes().value(of);
        session.selectModule(of);
        ModelPanel& panel = *m_window->findChild<ModelPanel*>();
        QCOMPARE(panel.selectedModules(), QStringList{of});
        Q_EMIT panel.actions().quantizeMenu()->aboutToShow();
        for (QAction* action : panel.actions().quantizeMenu()->actions())
            if (action->text() == QStringLiteral("W8A16")) action->trigger();
        QTRY_VERIFY2_WITH_TIMEOUT(session.schemes().value(of).startsWith(QStringLiteral("W8A16")), qPrintable(session.schemes().value(of)), 10'000);
        QCOMPARE(panel.tree()->currentIndex().siblingAtColumn(ModelTreeModel::SchemeColumn).data().toString(), session.schemes().value(of));
        QCOMPARE(session.schemes().value(QStringLiteral("model.layers.0.mlp.down_proj")), scheme);
        const QString overridden = recipe.editor()->text();

        recipe.undoAction()->trigger();
        QCOMPARE(recipe.editor()->text(), before);
        QTRY_COMPARE_WITH_TIMEOUT(session.schemes().value(of), scheme, 10'000);
        recipe.redoAction()->trigger();
        QCOMPARE(recipe.editor()->text(), overridden);
        QTRY_VERIFY_WITH_TIMEOUT(!session.checkingRecipe(), 10'000);

        auto* iters = named<QSpinBox>(recipe, "Iterations");
        QVERIFY(iters);
        iters->setFocus();
        iters->selectAll();
        QTest::keyClicks(iters, QString::number(LongTuning));
        QVERIFY2(recipe.editor()->text().contains(QStringLiteral("iters: %1").arg(LongTuning)), qPrintable(recipe.editor()->text()));
        recipe.editor()->moveCursor(QTextCursor::End);
        QTest::keyClicks(recipe.editor(), QStringLiteral("# mine"));
        QTRY_VERIFY2_WITH_TIMEOUT(session.obstacle().isEmpty(), qPrintable(session.obstacle()), 10'000);
        m_window->actions().saveRecipe->trigger();
        QVERIFY(!recipe.modified());
    }

    /// Paused within a block's tuning, which is then done again with fewer iterations.
    void steerTheRun() {
        RunController& controller = m_window->controller();
        m_window->actions().run->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(blockAtWork() && blockAtWork()->losses().size() > 3, 60'000);
        m_window->actions().pause->trigger();
        QCOMPARE(controller.state(), State::Paused);
        const size_t seen = blockAtWork()->losses().size();
        const BlockRecord* block = blockAtWork();
        QVERIFY2(seen < LongTuning, "the block was over before the pause");

        IntervenePanel& panel = *m_window->findChild<IntervenePanel*>();
        named<QSpinBox>(panel, "Iterations")->setValue(20);
        QPushButton* redo = nullptr;
        for (auto* button : panel.findChildren<QPushButton*>())
            if (button->text() == QStringLiteral("Redo block")) redo = button;
        QVERIFY(redo && redo->isEnabled());
        QTest::mouseClick(redo, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(block->result.has_value(), 60'000);
        QCOMPARE(block->attempts.size(), 2u);
        QCOMPARE(block->attempts[1].losses.size(), 20u);
        QCOMPARE(block->result->attempts, 2);
        // The better one was kept, and its losses are those that count.
        QCOMPARE(block->result->best_loss_mse, std::min(block->attempts[0].best->y, block->attempts[1].best->y));
        m_redone = block - controller.record().blocks().data();
    }

    void stopAndContinue() {
        RunController& controller = m_window->controller();
        QVERIFY(controller.active());
        m_window->actions().stop->trigger();
        QTRY_COMPARE_WITH_TIMEOUT(controller.state(), State::Stopped, 30'000);
        QVERIFY2(m_window->messages()->text().contains(QStringLiteral("is kept")), qPrintable(m_window->messages()->text()));
        const std::vector<BlockRecord> kept = controller.record().blocks();
        QVERIFY(kept.back().state != BlockRecord::State::Done);

        QVERIFY2(m_window->actions().continueRun->isEnabled(), qPrintable(m_window->actions().continueRun->toolTip()));
        m_window->actions().continueRun->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(!controller.active(), 240'000);
        QVERIFY2(controller.state() == State::Done, qPrintable(m_window->messages()->text()));
        const auto& blocks = controller.record().blocks();
        for (size_t i = 0; i < blocks.size(); ++i) {
            QVERIFY(blocks[i].result);
            if (kept[i].result) QCOMPARE(blocks[i].result->best_loss_mse, kept[i].result->best_loss_mse);
        }
        QCOMPARE(blocks[static_cast<size_t>(m_redone)].attempts.size(), 2u);
        QVERIFY(controller.record().find(Overridden)->scheme.starts_with("W8A16"));
        QVERIFY(m_window->actions().exportCheckpoint->isEnabled());
        QCOMPARE(inspectCheckpoint(controller.summary()->output_dir).format, std::string("pack-quantized"));
    }

    /// What is on screen comes back from the project file: model, text, recipe and the run as it ended.
    void reopen() {
        const QString file = m_folder->filePath(QStringLiteral("mine.calibench"));
        m_window->project().save(file);
        const QString recipe = m_window->recipePanel()->editor()->text();
        const std::vector<BlockRecord> blocks = m_window->controller().record().blocks();
        const double sqnr = *m_window->controller().record().find(Overridden)->sqnrDb;
        m_window.reset();
        m_window = std::make_unique<MainWindow>(coreServices(), *m_settings, QStringLiteral(CALIBENCH_RESOURCES));
        m_window->show();
        m_window->openProject(file);
        QTRY_COMPARE_WITH_TIMEOUT(m_window->controller().state(), State::Done, 20'000);
        watchModels();
        QCOMPARE(m_window->recipePanel()->editor()->text(), recipe);
        const RunRecord& record = m_window->controller().record();
        QCOMPARE(record.blocks().size(), blocks.size());
        for (size_t i = 0; i < blocks.size(); ++i) {
            QCOMPARE(record.blocks()[i].result->best_loss_mse, blocks[i].result->best_loss_mse);
            QCOMPARE(record.blocks()[i].losses().size(), blocks[i].losses().size());
        }
        QCOMPARE(record.find(Overridden)->sqnrDb, std::optional(sqnr));
        QTRY_VERIFY2_WITH_TIMEOUT(m_window->session().obstacle().isEmpty(), qPrintable(m_window->session().obstacle()), 20'000);
        QVERIFY(m_window->actions().exportCheckpoint->isEnabled());
    }

    /// The one that is being tuned; null between blocks.
    const BlockRecord* blockAtWork() const {
        for (const BlockRecord& block : m_window->controller().record().blocks())
            if (block.state == BlockRecord::State::Tuning) return &block;
        return nullptr;
    }

    template <typename T>
    static T* named(const QWidget& parent, const char* name) {
        for (T* widget : parent.findChildren<T*>())
            if (widget->accessibleName() == QString::fromLatin1(name)) return widget;
        return nullptr;
    }

    void shrink(int samples, int length, int iters) {
        DataSettings data = m_window->session().data();
        data.numSamples = samples;
        data.seqLen = length;
        data.iters = iters;
        m_window->session().setData(data);
    }

    std::ptrdiff_t m_redone = -1;
    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<Settings> m_settings;
    std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(TestRealRun)
#include "tst_real_run.moc"
