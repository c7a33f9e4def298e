#include <QDir>
#include <QFile>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "tests/ui/fixtures.h"
#include "ui/checkpoint_export.h"
#include "ui/dialogs/export_dialog.h"
#include "ui/dropped_files.h"
#include "ui/format.h"
#include "ui/settings.h"

using namespace calibench;

class TestExport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        test::failOnAnyWarning();
        m_folder = std::make_unique<QTemporaryDir>();
        write(QStringLiteral("checkpoint/config.json"), R"({"quantization_config": {"format": "pack-quantized"}})");
        write(QStringLiteral("checkpoint/sub/model.safetensors"), QByteArray(6 << 20, 'x'));
    }

    void copiesWhole() {
        int64_t last = 0, total = 0;
        exportCheckpoint(path("checkpoint"), path("copy"), [&](int64_t done, int64_t all) {
            last = done;
            total = all;
            return true;
        });
        QCOMPARE(last, total);
        QCOMPARE(QFileInfo(m_folder->filePath(QStringLiteral("copy/sub/model.safetensors"))).size(), 6 << 20);
        QCOMPARE(entries(), (QStringList{QStringLiteral("checkpoint"), QStringLiteral("copy")}));
        const CheckpointFacts facts = inspectCheckpoint(path("copy"));
        QCOMPARE(facts.format, std::string("pack-quantized"));
        QCOMPARE(facts.files, 2);
        QCOMPARE(facts.bytes, total);
    }

    void leavesNothingBehindWhenCancelled() {
        QVERIFY_EXCEPTION_THROWN(exportCheckpoint(path("checkpoint"), path("copy"), [](int64_t, int64_t) { return false; }), Cancelled);
        QCOMPARE(entries(), QStringList{QStringLiteral("checkpoint")});
    }

    void refusesATakenName() {
        QDir(m_folder->path()).mkdir(QStringLiteral("copy"));
        QVERIFY_EXCEPTION_THROWN(exportCheckpoint(path("checkpoint"), path("copy"), [](int64_t, int64_t) { return true; }), InputError);
        QVERIFY_EXCEPTION_THROWN(exportCheckpoint(path("nothing"), path("other"), [](int64_t, int64_t) { return true; }), RunError);
        QVERIFY(!QFileInfo::exists(m_folder->filePath(QStringLiteral("other"))));
    }

    void dialogExports() {
        Settings settings(m_folder->filePath(QStringLiteral("settings.ini")));
        ExportDialog dialog(path("checkpoint"), QStringLiteral("tiny"), settings);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy exported(&dialog, &ExportDialog::exported);
        dialog.destination()->setText(m_folder->filePath(QStringLiteral("checkpoint")));  // taken
        dialog.start();
        QCOMPARE(exported.count(), 0);
        dialog.destination()->setText(m_folder->filePath(QStringLiteral("out")));
        dialog.start();
        QTRY_COMPARE(exported.count(), 1);
        QVERIFY(QFileInfo::exists(m_folder->filePath(QStringLiteral("out/config.json"))));
        QCOMPARE(settings.exportFolder(), m_folder->path());
    }

    void dropsAreSorted() {
        write(QStringLiteral("text.txt"), "a");
        write(QStringLiteral("recipe.yaml"), "a");
        write(QStringLiteral("second.yml"), "a");
        write(QStringLiteral("picture.png"), "a");
        QDir(m_folder->path()).mkdir(QStringLiteral("empty"));
        const auto url = [this](const char* name) { return QUrl::fromLocalFile(m_folder->filePath(QString::fromLatin1(name))); };
        const DroppedFiles dropped = sortDroppedFiles({url("checkpoint"), url("text.txt"), url("recipe.yaml"), url("second.yml"), url("picture.png"),
                                                       url("empty"), url("gone.txt"), QUrl(QStringLiteral("https://example.org/model"))});
        QCOMPARE(dropped.model, m_folder->filePath(QStringLiteral("checkpoint")));
        QCOMPARE(dropped.dataset, m_folder->filePath(QStringLiteral("text.txt")));
        QCOMPARE(dropped.recipe, m_folder->filePath(QStringLiteral("recipe.yaml")));
        QCOMPARE(dropped.ignored.size(), 5);
        QCOMPARE(sortDroppedFiles({url("checkpoint/config.json")}).model, m_folder->filePath(QStringLiteral("checkpoint")));
    }

    void numbersKeepThreeDigits() {
        QCOMPARE(formatNumber(0.031249), QStringLiteral("0.0312"));
        QCOMPARE(formatNumber(-3.14159e-5), QStringLiteral("-3.14e-5"));
        QCOMPARE(formatNumber(1.5e12), QStringLiteral("1.5e12"));
        QCOMPARE(formatNumber(std::nan("")), QStringLiteral("NaN"));
        QCOMPARE(formatExact(0.1), QStringLiteral("0.1"));
    }

private:
    std::filesystem::path path(const char* name) const { return toPath(m_folder->filePath(QString::fromLatin1(name))); }
    QStringList entries() const { return QDir(m_folder->path()).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot, QDir::Name); }
    void write(const QString& name, const QByteArray& bytes) const {
        const QString full = m_folder->filePath(name);
        QDir().mkpath(QFileInfo(full).path());
        QFile file(full);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(bytes);
    }

    std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_MAIN(TestExport)
#include "tst_export.moc"
