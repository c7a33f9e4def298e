#include <QAbstractItemModelTester>
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QLineEdit>
#include <QMenu>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>

#include "tests/ui/fake_core.h"
#include "ui/models/model_tree_model.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/module_actions.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/theme.h"

using namespace calibench;

namespace {

/// Blocks of attention and experts, embeddings and head: what the panel has to show at its fullest.
ModelSummary mixtureModel() {
    ModelSummary model = test::moeModel();
    model.modules.insert(model.modules.begin(), test::linear("model.layers.0.self_attn.q_proj", 0));
    model.modules.insert(model.modules.begin() + 5, test::linear("model.layers.1.self_attn.q_proj", 1));
    model.modules.push_back({.name = "model.layers.1.mlp.gate", .class_name = "Qwen3MoeTopKRouter", .block = 1, .shape = {4, 16}, .dtype = "BF16"});
    model.modules.push_back(test::linear("lm_head", -1));
    model.modules.back().shape = {64, 48};
    return model;
}

}  // namespace

class TestModelPanel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { installStyle(); }

    void init() {
        test::failOnAnyWarning();
        CoreServices services = test::fakeCore(true);
        services.inspectModel = [](const std::filesystem::path&) { return mixtureModel(); };
        m_session = std::make_unique<Session>(services);
        m_controller = std::make_unique<RunController>(services.runCalibration);
        m_panel = std::make_unique<ModelPanel>(*m_session, *m_controller);
        m_tester = std::make_unique<QAbstractItemModelTester>(tree().model());
        m_panel->resize(500, 700);
        m_panel->show();
        QVERIFY(QTest::qWaitForWindowActive(m_panel.get()));
        m_session->setRecipe(QStringLiteral("test_stage: {}\n"));
        m_session->openModel(QStringLiteral("mixture"));
        QTRY_COMPARE(m_session->schemes().size(), 10);
        // What the recipe's editor does, without its undo.
        connect(m_session.get(), &Session::recipeChangeRequested, m_session.get(), &Session::setRecipe);
    }

    void cleanup() {
        m_tester.reset();
        m_panel.reset();
        m_controller.reset();
        m_session.reset();
    }

    void theRecipeChangesForWhatIsSelected() {
        QVERIFY(!m_panel->actions().ignore->isEnabled());
        QVERIFY(m_panel->actions().ignore->toolTip().contains(QStringLiteral("Select modules")));
        select({"model.layers.1.self_attn.q_proj", "lm_head"});
        QVERIFY(m_panel->actions().ignore->isEnabled());
        QSignalSpy changes(m_session.get(), &Session::recipeChangeRequested);
        m_panel->actions().ignore->trigger();
        QTRY_COMPARE(changes.count(), 1);
        QCOMPARE(m_session->recipe(), QStringLiteral("test_stage: {}\n# ignored: model.layers.1.self_attn.q_proj, lm_head\n"));
    }

    void aBlockStandsForItsModulesAndARouterForNothing() {
        select({"model.layers.1"});
        QCOMPARE(m_panel->selectedModules().size(), 5);
        QVERIFY(!m_panel->selectedModules().contains(QStringLiteral("model.layers.1.mlp.gate")));
        select({"model.layers.1", "model.layers.1.mlp.experts", "model.layers.1.mlp.experts.2.up_proj"});
        QCOMPARE(m_panel->selectedModules().size(), 5);  // each once
        select({"model.layers.0.mlp.experts.3"});
        QCOMPARE(m_panel->selectedModules(), QStringList{QStringLiteral("model.layers.0.mlp.experts.3.up_proj")});
        select({"model.layers.1.mlp.gate"});
        QVERIFY(!m_panel->actions().pin->isEnabled());
    }

    void presetsTakeTheGroupSizeThatDivides() {
        const auto presets = [this] {
            Q_EMIT m_panel->actions().quantizeMenu()->aboutToShow();
            QStringList texts;
            for (const QAction* action : m_panel->actions().quantizeMenu()->actions()) texts << action->text();
            return texts;
        };
        select({"lm_head"});  // 48 columns
        QVERIFY2(presets().contains(QStringLiteral("W4A16 in groups of 16")), qPrintable(presets().join(QLatin1Char('|'))));
        for (QAction* action : m_panel->actions().quantizeMenu()->actions())
            if (action->text().startsWith(QStringLiteral("W8A8"))) action->trigger();
        QTRY_VERIFY(m_session->recipe().endsWith(QStringLiteral("# W8 g16: lm_head\n")));
    }

    void aRefusalSaysWhy() {
        select({"lm_head"});
        QSignalSpy failures(m_panel.get(), &ModelPanel::failed), changes(m_session.get(), &Session::recipeChangeRequested);
        m_panel->actions().pin->trigger();
        QTRY_COMPARE(failures.count(), 1);
        QVERIFY(failures[0][0].toString().contains(QStringLiteral("alias")));
        QCOMPARE(changes.count(), 0);
    }

    void aChangeForAnOlderTextIsDropped() {
        select({"lm_head"});
        QSignalSpy failures(m_panel.get(), &ModelPanel::failed), changes(m_session.get(), &Session::recipeChangeRequested);
        m_panel->actions().ignore->trigger();
        m_session->setRecipe(QStringLiteral("test_stage: {}  # typed meanwhile\n"));
        QTRY_COMPARE(failures.count(), 1);
        QCOMPARE(changes.count(), 0);
        QVERIFY(m_session->recipe().contains(QStringLiteral("typed meanwhile")));
    }

    void actionsSayWhyTheyAreDisabled() {
        select({"lm_head"});
        m_session->setRecipe(QStringLiteral("oops\n"));
        QTRY_VERIFY(m_panel->actions().pin->toolTip().contains(QStringLiteral("errors")));
        QVERIFY(!m_panel->actions().quantize->isEnabled());
        m_session->setRecipe(QStringLiteral("test_stage: {}\n"));
        QTRY_VERIFY(m_panel->actions().quantize->isEnabled());
        m_controller->start(m_session->runConfig(), m_session->model());
        QVERIFY(m_panel->actions().quantize->toolTip().contains(QStringLiteral("A run is at work")));
        QVERIFY(!m_panel->actions().quantize->isEnabled());
    }

    void selectsAllThatIsAlike() {
        QVERIFY(!m_panel->selectAlikeAction()->isEnabled());
        select({"model.layers.0.mlp.experts.3.up_proj"});
        QCOMPARE(m_panel->selectAlikeAction()->text(), QStringLiteral("&Select every up_proj"));
        tree().setFocus();
        QTest::keyClick(&tree(), Qt::Key_A, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(m_panel->selectedModules().size(), 8);
        QCOMPARE(m_session->selectedModule(), QStringLiteral("model.layers.0.mlp.experts.3.up_proj"));
    }

    void theFilterKeepsTheSelectionAndWhatIsUnfolded() {
        select({"model.layers.0.self_attn.q_proj", "lm_head"});
        tree().collapse(rowOf("model.layers.0"));
        tree().expand(rowOf("model.layers.1"));
        QTest::keyClicks(m_panel->filter(), QStringLiteral("up_proj"));
        QCOMPARE(m_panel->selectedModules(), QStringList());
        QCOMPARE(m_session->selectedModule(), QStringLiteral("lm_head"));  // still what plots show
        QVERIFY(tree().isExpanded(rowOf("model.layers.0.mlp.experts.1")));
        m_panel->filter()->clear();
        QCOMPARE(m_panel->selectedModules(), (QStringList{QStringLiteral("model.layers.0.self_attn.q_proj"), QStringLiteral("lm_head")}));
        QVERIFY(!tree().isExpanded(rowOf("model.layers.0")));
        QVERIFY(tree().isExpanded(rowOf("model.layers.1")));
        QVERIFY(!tree().isExpanded(rowOf("model.layers.1.mlp.experts")));
    }

    void onlyWhatTheFilterShowsIsTaken() {
        m_panel->filter()->setText(QStringLiteral("q_proj"));
        select({"model.layers.1"});
        QCOMPARE(m_panel->selectedModules(), QStringList{QStringLiteral("model.layers.1.self_attn.q_proj")});
    }

    void enterGoesFromTheFilterToItsFirstMatch() {
        m_panel->filter()->setFocus();
        QTest::keyClicks(m_panel->filter(), QStringLiteral("experts.2"));
        QTest::keyClick(m_panel->filter(), Qt::Key_Return);
        QCOMPARE(m_session->selectedModule(), QStringLiteral("model.layers.0.mlp.experts.2.up_proj"));
    }

    void blocksAndExpertsAreSelectedByName() {
        QSignalSpy blocks(m_panel.get(), &ModelPanel::blockSelected);
        m_session->selectModule(QStringLiteral("model.layers.1"));
        QCOMPARE(tree().currentIndex().data().toString(), QStringLiteral("Block 1"));
        QCOMPARE(blocks.last()[0].toInt(), 1);
        m_session->selectModule(QStringLiteral("model.layers.0.mlp.experts.2.up_proj"));
        QVERIFY(tree().isExpanded(rowOf("model.layers.0.mlp.experts.2")));
        QTest::keyClick(&tree(), Qt::Key_Left);
        QCOMPARE(m_session->selectedModule(), QStringLiteral("model.layers.0.mlp.experts.2"));
    }

    void copiesATable() {
        select({"model.layers.0", "lm_head"});
        tree().setFocus();
        QTest::keyClick(&tree(), Qt::Key_C, Qt::ControlModifier);
        const QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QCOMPARE(lines.size(), 3);
        QVERIFY(lines[0].startsWith(QStringLiteral("Name\tShape\t")));
        QVERIFY(lines[1].startsWith(QStringLiteral("model.layers.0\t")));
    }

    void nothingMovesWhileNumbersStream() {
        m_session->selectModule(QStringLiteral("model.layers.1.mlp.experts.2.up_proj"));
        tree().expandAll();
        m_panel->resize(500, 260);
        tree().scrollTo(rowOf("lm_head"));
        const int scroll = tree().verticalScrollBar()->value();
        QVERIFY(scroll > 0);
        QSignalSpy resets(tree().model(), &QAbstractItemModel::modelReset), layouts(tree().model(), &QAbstractItemModel::layoutChanged);
        RunSnapshot snapshot;
        snapshot.started = test::startOf(m_session->model());
        for (const ModuleInfo& info : m_session->model().modules)
            snapshot.tokens.push_back({.block = info.block, .module = info.name, .expert = info.expert, .tokens = 12});
        for (int i = 0; i < 20; ++i) Q_EMIT m_controller->snapshotArrived(snapshot);
        QCOMPARE(resets.count() + layouts.count(), 0);
        QCOMPARE(tree().verticalScrollBar()->value(), scroll);
        QCOMPARE(m_session->selectedModule(), QStringLiteral("model.layers.1.mlp.experts.2.up_proj"));
        QVERIFY(tree().isExpanded(rowOf("model.layers.0.mlp.experts.1")));
    }

private:
    QTreeView& tree() const { return *m_panel->tree(); }

    QModelIndex rowOf(const char* name) const {
        const auto* model = tree().model();
        const QModelIndexList found = model->match(model->index(0, 0), ModelTreeModel::ModuleRole, QString::fromLatin1(name), 1, Qt::MatchExactly | Qt::MatchRecursive);
        return found.value(0);
    }

    /// The first as a click does, the others as clicks with Ctrl do.
    void select(std::initializer_list<const char*> names) const {
        auto command = QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows;
        for (const char* name : names) {
            QVERIFY2(rowOf(name).isValid(), name);
            tree().selectionModel()->setCurrentIndex(rowOf(name), command);
            command = QItemSelectionModel::Select | QItemSelectionModel::Rows;
        }
    }

    std::unique_ptr<Session> m_session;
    std::unique_ptr<RunController> m_controller;
    std::unique_ptr<ModelPanel> m_panel;
    std::unique_ptr<QAbstractItemModelTester> m_tester;
};

QTEST_MAIN(TestModelPanel)
#include "tst_model_panel.moc"
