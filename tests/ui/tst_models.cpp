#include <QAbstractItemModelTester>
#include <QItemSelectionModel>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTest>

#include "tests/ui/fixtures.h"
#include "ui/models/model_tree_model.h"
#include "ui/models/module_filter.h"

using namespace calibench;

class TestModels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { test::failOnAnyWarning(); }

    void treeShowsBlocksAndLooseModules() {
        RunRecord record;
        ModelTreeModel model(record);
        QAbstractItemModelTester tester(&model);
        model.setModel(test::denseModel(2));
        QCOMPARE(model.rowCount(), 4);  // embed_tokens, two blocks, lm_head
        QCOMPARE(model.index(1, 0).data().toString(), QStringLiteral("Block 0"));
        QCOMPARE(model.rowCount(model.index(1, 0)), 3);
        const QModelIndex q = model.indexOf(QStringLiteral("model.layers.1.self_attn.q_proj"));
        QCOMPARE(q.data().toString(), QStringLiteral("self_attn.q_proj"));
        QCOMPARE(q.parent(), model.indexOfBlock(1));
        QCOMPARE(q.siblingAtColumn(ModelTreeModel::ShapeColumn).data().toString(), QStringLiteral("32 × 16"));
        QVERIFY(!model.indexOf(QStringLiteral("nowhere")).isValid());
    }

    void snapshotsKeepTheSelectionAndNameTheChangedSpans() {
        const ModelSummary summary = test::denseModel(3);
        RunRecord record;
        ModelTreeModel model(record);
        QSortFilterProxyModel proxy;
        proxy.setRecursiveFilteringEnabled(true);
        proxy.setSourceModel(&model);
        QAbstractItemModelTester tester(&model), proxyTester(&proxy);
        model.setModel(summary);
        record.begin(summary);
        QItemSelectionModel selection(&proxy);
        const QString chosen = QStringLiteral("model.layers.1.mlp.down_proj");
        selection.select(proxy.mapFromSource(model.indexOf(chosen)), QItemSelectionModel::Select | QItemSelectionModel::Rows);

        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        RunSnapshot snapshot;
        snapshot.started = test::startOf(summary);
        for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "mlp.down_proj"})
            snapshot.ranges.push_back({.block = 1, .module = std::string("model.layers.1.") + part, .min = -0.5, .max = 0.25});
        snapshot.ranges.push_back({.block = 2, .module = "model.layers.2.mlp.down_proj", .min = -1e-5, .max = 2});
        record.apply(snapshot);
        model.applySnapshot(snapshot);

        QCOMPARE(changes.count(), 3);  // two blocks that touch, three rows that touch, one in another block
        QCOMPARE(changes[1][0].toModelIndex().row(), 0);
        QCOMPARE(changes[1][1].toModelIndex().row(), 2);
        QCOMPARE(selection.selectedRows().size(), 1);
        QCOMPARE(selection.selectedRows().at(0).data(ModelTreeModel::ModuleRole).toString(), chosen);
        const QModelIndex range = model.indexOf(chosen).siblingAtColumn(ModelTreeModel::RangeColumn);
        QCOMPARE(range.data().toString(), QStringLiteral("-0.5 … 0.25"));

        changes.clear();
        RunSnapshot losses;
        losses.losses = {{.block = 0, .iteration = 0, .loss_mse = 4e-5, .best = true}, {.block = 0, .iteration = 1, .loss_mse = 3.14159e-5, .best = true}};
        losses.modulesQuantized = {{.block = 0, .module = "model.layers.0.self_attn.q_proj", .scheme = "W4 g64", .weight_sqnr_db = 26.14}};
        record.apply(losses);
        model.applySnapshot(losses);
        QCOMPARE(changes.count(), 2);
        const QModelIndex block = model.indexOfBlock(0);
        QCOMPARE(block.siblingAtColumn(ModelTreeModel::StateColumn).data().toString(), QStringLiteral("tuning · 3.14e-5"));
        QCOMPARE(block.siblingAtColumn(ModelTreeModel::SqnrColumn).data().toString(), QStringLiteral("26.1"));
        const QModelIndex q = model.indexOf(QStringLiteral("model.layers.0.self_attn.q_proj"));
        QCOMPARE(q.siblingAtColumn(ModelTreeModel::SqnrColumn).data().toString(), QStringLiteral("26.1"));
        QVERIFY(model.plainText({q}).contains(QStringLiteral("\t26.14\t")));
    }

    void schemesFollowTheRecipe() {
        RunRecord record;
        ModelTreeModel model(record);
        QAbstractItemModelTester tester(&model);
        model.setModel(test::denseModel(2));
        const QString q = QStringLiteral("model.layers.0.self_attn.q_proj"), k = QStringLiteral("model.layers.0.self_attn.k_proj");
        model.setSchemes({{q, QStringLiteral("W4 g64 sym")}, {k, QStringLiteral("W8 sym")}});
        const auto scheme = [&](const QModelIndex& index) { return index.siblingAtColumn(ModelTreeModel::SchemeColumn).data().toString(); };
        QCOMPARE(scheme(model.indexOf(q)), QStringLiteral("W4 g64 sym"));
        QCOMPARE(scheme(model.indexOf(QStringLiteral("lm_head"))), QStringLiteral("as is"));
        QCOMPARE(scheme(model.indexOfBlock(0)), QStringLiteral("2 schemes"));
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        model.setSchemes({{q, QStringLiteral("W4 g64 sym")}, {k, QStringLiteral("W4 g64 sym")}});
        QCOMPARE(scheme(model.indexOfBlock(0)), QStringLiteral("W4 g64 sym"));
        QCOMPARE(changes.count(), 2);  // k_proj and its block
    }

    void expertsHaveANodeOfTheirOwn() {
        RunRecord record;
        ModelTreeModel model(record);
        QAbstractItemModelTester tester(&model);
        model.setModel(test::moeModel());
        QCOMPARE(model.rowCount(), 2);
        const QModelIndex block = model.indexOf(QStringLiteral("model.layers.1"));
        QCOMPARE(block, model.indexOfBlock(1));
        QCOMPARE(model.rowCount(block), 1);
        const QModelIndex experts = model.index(0, 0, block);
        QCOMPARE(experts.data().toString(), QStringLiteral("Experts (4)"));
        QCOMPARE(experts.data(ModelTreeModel::ModuleRole).toString(), QStringLiteral("model.layers.1.mlp.experts"));
        const QModelIndex expert = model.index(2, 0, experts);
        QCOMPARE(expert.data().toString(), QStringLiteral("Expert 2"));
        QCOMPARE(model.index(0, 0, expert).data().toString(), QStringLiteral("up_proj"));
        const QModelIndexList alike = model.alike(model.index(0, 0, expert));
        QCOMPARE(alike.size(), 8);
        QCOMPARE(alike.back().data(ModelTreeModel::ModuleRole).toString(), QStringLiteral("model.layers.1.mlp.experts.3.up_proj"));
    }

    void groupsSumUpWhatIsBelow() {
        const ModelSummary summary = test::moeModel();
        RunRecord record;
        ModelTreeModel model(record);
        QAbstractItemModelTester tester(&model);
        model.setModel(summary);
        record.begin(summary);
        QHash<QString, QString> schemes;
        for (const ModuleInfo& info : summary.modules) schemes.insert(QString::fromStdString(info.name), QStringLiteral("W4"));
        model.setSchemes(schemes);
        const auto name = [](int expert) { return "model.layers.0.mlp.experts." + std::to_string(expert) + ".up_proj"; };
        RunSnapshot snapshot;
        snapshot.started = test::startOf(summary);
        const int64_t tokens[] = {120, 7, 64, 1500};
        for (int expert = 0; expert < 4; ++expert) {
            snapshot.tokens.push_back({.block = 0, .module = name(expert), .expert = expert, .tokens = tokens[expert]});
            snapshot.ranges.push_back({.block = 0, .module = name(expert), .min = -0.1 * expert, .max = 0.25});
        }
        snapshot.modulesQuantized = {{.block = 0, .module = name(1), .scheme = "W4", .weight_sqnr_db = 18.21},
                                     {.block = 0, .module = name(3), .scheme = "W8", .weight_sqnr_db = 30}};
        record.apply(snapshot);
        model.applySnapshot(snapshot);
        const QModelIndex experts = model.indexOf(QStringLiteral("model.layers.0.mlp.experts"));
        const auto text = [&](const QModelIndex& index, int column) { return index.siblingAtColumn(column).data().toString(); };
        QCOMPARE(text(experts, ModelTreeModel::TokensColumn), QStringLiteral("7 … %1").arg(QLocale().toString(1500)));
        QCOMPARE(text(experts, ModelTreeModel::SqnrColumn), QStringLiteral("18.2"));
        QCOMPARE(text(experts, ModelTreeModel::StateColumn), QStringLiteral("2 of 4 done"));
        QCOMPARE(text(experts, ModelTreeModel::RangeColumn), QStringLiteral("-0.3 … 0.25"));
        QVERIFY(experts.siblingAtColumn(ModelTreeModel::SqnrColumn).data(Qt::ToolTipRole).toString().contains(QStringLiteral("experts.1.up_proj")));
        QCOMPARE(text(model.indexOf(QString::fromStdString(name(3))), ModelTreeModel::SchemeColumn), QStringLiteral("W4, was W8"));
        QCOMPARE(text(model.indexOf(QString::fromStdString(name(2))), ModelTreeModel::StateColumn), QStringLiteral("observed"));
        QCOMPARE(text(model.indexOf(QStringLiteral("model.layers.1.mlp.experts")), ModelTreeModel::StateColumn), QStringLiteral("waiting"));
    }

    void highlightsAreCountedUpwards() {
        RunRecord record;
        ModelTreeModel model(record);
        QAbstractItemModelTester tester(&model);
        model.setModel(test::denseModel(2));
        const QString q = QStringLiteral("model.layers.1.self_attn.q_proj");
        model.setHighlighted({q, QStringLiteral("model.layers.1.self_attn.k_proj"), QStringLiteral("nowhere")});
        QVERIFY(model.indexOf(q).data(Qt::BackgroundRole).isValid());
        QVERIFY(!model.indexOf(QStringLiteral("lm_head")).data(Qt::BackgroundRole).isValid());
        QCOMPARE(model.indexOfBlock(1).data().toString(), QStringLiteral("Block 1: 2 matched"));
        QCOMPARE(model.indexOfBlock(0).data().toString(), QStringLiteral("Block 0"));
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        model.setHighlighted({q});
        QCOMPARE(changes.count(), 2);  // k_proj and its block
        model.setHighlighted({});
        QCOMPARE(model.indexOfBlock(1).data().toString(), QStringLiteral("Block 1"));
        QVERIFY(!model.indexOf(q).data(Qt::BackgroundRole).isValid());
    }

    void filtersByNameSchemeAndPattern_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QStringList>("shown");  // top rows, and how many below
        QTest::newRow("nothing") << QString() << QStringList{"model.embed_tokens", "model.layers.0 3", "model.layers.1 3", "lm_head"};
        QTest::newRow("name") << QStringLiteral("Q_proj") << QStringList{"model.layers.0 1", "model.layers.1 1"};
        QTest::newRow("block") << QStringLiteral("block 1") << QStringList{"model.layers.1 3"};
        QTest::newRow("block's name") << QStringLiteral("layers.0") << QStringList{"model.layers.0 3"};
        QTest::newRow("scheme") << QStringLiteral("w8") << QStringList{"model.layers.1 1"};
        QTest::newRow("pattern") << QStringLiteral("re:.*layers\\.0.*k_proj") << QStringList{"model.layers.0 1"};
        QTest::newRow("pattern from the start") << QStringLiteral("re:lm") << QStringList{"lm_head"};
        QTest::newRow("no pattern") << QStringLiteral("re:(") << QStringList();
        QTest::newRow("no match") << QStringLiteral("nowhere") << QStringList();
    }

    void filtersByNameSchemeAndPattern() {
        QFETCH(QString, text);
        QFETCH(QStringList, shown);
        RunRecord record;
        ModelTreeModel model(record);
        ModuleFilter filter(model);
        QAbstractItemModelTester tester(&filter);
        model.setModel(test::denseModel(2));
        model.setSchemes({{QStringLiteral("model.layers.1.mlp.down_proj"), QStringLiteral("W8 sym")}});
        filter.setText(text);
        QStringList rows;
        for (int row = 0; row < filter.rowCount(); ++row) {
            const QModelIndex top = filter.index(row, 0);
            const int below = filter.rowCount(top);
            rows << top.data(ModelTreeModel::ModuleRole).toString() + (below ? QStringLiteral(" %1").arg(below) : QString());
        }
        QCOMPARE(rows, shown);
        QCOMPARE(filter.problem().isEmpty(), text != QStringLiteral("re:("));
    }

    void aFilterByASchemeFollowsTheRecipe() {
        RunRecord record;
        ModelTreeModel model(record);
        ModuleFilter filter(model);
        QAbstractItemModelTester tester(&filter);
        model.setModel(test::denseModel(2));
        filter.setText(QStringLiteral("W8"));
        QCOMPARE(filter.rowCount(), 0);
        model.setSchemes({{QStringLiteral("lm_head"), QStringLiteral("W8 sym")}});
        QCOMPARE(filter.rowCount(), 1);
        model.setModel(test::moeModel());
        QCOMPARE(filter.rowCount(), 0);
    }
};

QTEST_MAIN(TestModels)
#include "tst_models.moc"
