#include <QAbstractItemModelTester>
#include <QItemSelectionModel>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTest>

#include "tests/ui/fixtures.h"
#include "ui/models/log_model.h"
#include "ui/models/model_tree_model.h"

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

        QCOMPARE(changes.count(), 2);  // three rows that touch, one in another block
        QCOMPARE(changes[0][0].toModelIndex().row(), 0);
        QCOMPARE(changes[0][1].toModelIndex().row(), 2);
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
        QCOMPARE(block.siblingAtColumn(ModelTreeModel::QualityColumn).data().toString(), QStringLiteral("3.14e-5"));
        QCOMPARE(block.siblingAtColumn(ModelTreeModel::StateColumn).data().toString(), QStringLiteral("tuning"));
        const QModelIndex q = model.indexOf(QStringLiteral("model.layers.0.self_attn.q_proj"));
        QCOMPARE(q.siblingAtColumn(ModelTreeModel::QualityColumn).data().toString(), QStringLiteral("26.1 dB"));
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

    void logCountsARepeatedWarningOnce() {
        LogModel log;
        QAbstractItemModelTester tester(&log);
        QSignalSpy counts(&log, &LogModel::warningCountChanged);
        log.add(LogModel::Severity::Info, QStringLiteral("Started"));
        for (int i = 0; i < 3; ++i) log.add(LogModel::Severity::Warning, QStringLiteral("clipped"), QStringLiteral("a"));
        log.add(LogModel::Severity::Warning, QStringLiteral("clipped"), QStringLiteral("b"));
        QCOMPARE(log.rowCount(), 3);
        QCOMPARE(log.warningCount(), 2);
        QCOMPARE(counts.count(), 2);
        QCOMPARE(log.index(1, LogModel::CountColumn).data().toString(), QStringLiteral("× 3"));
        log.clear();
        QCOMPARE(log.rowCount(), 0);
    }
};

QTEST_MAIN(TestModels)
#include "tst_models.moc"
