#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QDesktopServices>
#include <QDir>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <sys/resource.h>

#include "core/base/error.h"
#include "tests/ui/fake_core.h"
#include "tests/ui/fixtures.h"
#include "ui/checkpoint_export.h"
#include "ui/dialogs/export_dialog.h"
#include "ui/dialogs/snippets_view.h"
#include "ui/dropped_files.h"
#include "ui/english_plurals.h"
#include "ui/format.h"
#include "ui/serving_snippets.h"
#include "ui/settings.h"

using namespace calibench;

namespace {

/// While it lives no file of this process can grow beyond `bytes`, as on a full disk.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit small{bytes, m_before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
    }
    ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &m_before); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit m_before{};
};

/// The dialog on the fake core, seen as a user sees it.
struct Export {
    Export(const std::filesystem::path& checkpoint, const QString& destination)
        : settings(own.filePath(QStringLiteral("settings.ini"))), dialog(core, {.checkpoint = checkpoint, .config = {}, .name = QStringLiteral("tiny")}, settings) {
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        dialog.destination()->setText(destination);
        if (!QTest::qWaitFor([this] { return verdict().endsWith(QLatin1Char('.')) && !facts().startsWith(QStringLiteral("Reading")); }, 5000)) qFatal("the dialog does not settle");
    }
    [[nodiscard]] QString verdict() const { return dialog.findChild<QLabel*>(QStringLiteral("servingVerdict"))->text(); }
    [[nodiscard]] QString facts() const { return dialog.findChild<QLabel*>(QStringLiteral("checkpointFacts"))->text(); }
    [[nodiscard]] QString status() const { return dialog.findChild<QLabel*>(QStringLiteral("exportStatus"))->text(); }
    [[nodiscard]] SnippetsView* snippets() const { return dialog.findChild<SnippetsView*>(); }
    template <typename Button>
    [[nodiscard]] Button* button(const char* text) const {
        for (Button* each : dialog.findChildren<Button*>())
            if (each->text() == QLatin1String(text) && each->isVisible()) return each;
        return nullptr;
    }
    [[nodiscard]] bool ended() const {
        return QTest::qWaitFor([this] { return dialog.closeButton()->text() == QStringLiteral("Close"); }, 10'000);
    }

    CoreServices core = test::fakeCore();
    QTemporaryDir own;
    Settings settings;
    ExportDialog dialog;
};

}  // namespace

class TestExport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QCoreApplication::installTranslator(new EnglishPlurals(qApp)); }
    void init() {
        test::failOnAnyWarning();
        m_folder = std::make_unique<QTemporaryDir>();
        write(QStringLiteral("checkpoint/config.json"), R"({"quantization_config": {"format": "pack-quantized"}})");
        write(QStringLiteral("checkpoint/recipe.yaml"), "quant_stage: {}\n");
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
        QCOMPARE(facts.files, 3);
        QVERIFY(facts.hasRecipe && !facts.experts && !facts.quantizedCache && !facts.quantizedEmbedding);
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

    void partsAreAllThereOrNone() {
        exportParts({.checkpoint = path("checkpoint"), .folder = {}, .recipeFile = path("mine.yaml")}, [](int64_t, int64_t) { return true; });
        QCOMPARE(read("mine.yaml"), QByteArray("quant_stage: {}\n"));
        QCOMPARE(entries(), (QStringList{QStringLiteral("checkpoint"), QStringLiteral("mine.yaml")}));
        const ExportOrder both{.checkpoint = path("checkpoint"), .folder = path("copy"), .recipeFile = path("other.yaml")};
        QVERIFY_EXCEPTION_THROWN(exportParts(both, [](int64_t, int64_t) { return false; }), Cancelled);
        QVERIFY_EXCEPTION_THROWN(exportParts({.checkpoint = path("checkpoint"), .folder = {}, .recipeFile = path("mine.yaml")}, [](int64_t, int64_t) { return true; }), InputError);
        QCOMPARE(entries(), (QStringList{QStringLiteral("checkpoint"), QStringLiteral("mine.yaml")}));
    }

    void factsAreReadFromTheFiles() {
        write(QStringLiteral("moe/config.json"), R"({"num_local_experts": 8, "quantization_config": {"format": "float-quantized", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}})");
        const QByteArray header = R"({"model.embed_tokens.weight_scale": {}})";
        QByteArray length(8, '\0');
        length[0] = static_cast<char>(header.size());
        write(QStringLiteral("moe/model.safetensors"), length + header);
        const CheckpointFacts facts = inspectCheckpoint(path("moe"));
        QVERIFY(facts.experts && facts.quantizedCache && facts.quantizedEmbedding && !facts.hasRecipe);
        write(QStringLiteral("moe/model.safetensors.index.json"), R"({"weight_map": {"model.embed_tokens.weight": "model.safetensors"}})");
        QVERIFY(!inspectCheckpoint(path("moe")).quantizedEmbedding);
        write(QStringLiteral("odd/config.json"), R"({"num_experts": null, "quantization_config": {"kv_cache_scheme": {"num_bits": "8"}}})");
        write(QStringLiteral("odd/model.safetensors"), "short");
        QVERIFY(!inspectCheckpoint(path("odd")).experts && !inspectCheckpoint(path("odd")).quantizedCache);
    }

    void snippetsHaveTheFlagsOfTheCheckpoint() {
        const auto plain = ServingSnippets::of({}, QStringLiteral("/models/it's mine"), 1);
        QCOMPARE(plain.size(), 3);
        QCOMPARE(plain[0].code, QStringLiteral("vllm serve '/models/it'\\''s mine'\n"));
        QVERIFY(plain[1].code.contains(QStringLiteral("llm = LLM(\"/models/it's mine\")\n")));
        QVERIFY(plain[2].code.contains(QStringLiteral("folder = \"/models/it's mine\"\n")));
        for (const ServingSnippet& snippet : plain) QVERIFY(snippet.note.isEmpty());

        const auto all = ServingSnippets::of({.quantizedCache = true, .experts = true, .quantizedEmbedding = true}, QStringLiteral("/models/moe"), 4);
        QCOMPARE(all[0].code, QStringLiteral("vllm serve /models/moe --tensor-parallel-size 4 --enable-expert-parallel --kv-cache-dtype fp8\n"));
        QVERIFY(all[1].code.contains(QStringLiteral("LLM(\"/models/moe\", tensor_parallel_size=4, enable_expert_parallel=True, kv_cache_dtype=\"fp8\")")));
        QVERIFY(all[2].note.contains(QStringLiteral("cannot load")));
        QVERIFY(all[0].note.contains(QStringLiteral("embedding")));
    }

    void dialogTellsExportsAndHandsOut() {
        Export it(path("checkpoint"), m_folder->filePath(QStringLiteral("checkpoint")));  // taken
        QCOMPARE(it.facts(), QStringLiteral("compressed-tensors pack-quantized, %1 in 3 files; %2 before quantization; 0.563 bytes for each quantized weight").arg(formatBytes(inspectCheckpoint(path("checkpoint")).bytes), formatBytes(6144)));
        QCOMPARE(it.dialog.findChild<QListWidget*>()->count(), 1);
        QVERIFY(!it.dialog.exportButton()->isEnabled());
        QVERIFY(it.dialog.exportButton()->toolTip().contains(QStringLiteral("exists already")));
        it.dialog.destination()->setText(m_folder->filePath(QStringLiteral("out")));
        it.button<QCheckBox>("Recipe")->click();
        QVERIFY2(it.dialog.exportButton()->isEnabled(), qPrintable(it.status()));
        QVERIFY(!it.snippets()->isVisible() && !it.button<QPushButton>("Open folder"));

        QSignalSpy exported(&it.dialog, &ExportDialog::exported);
        it.dialog.exportButton()->click();
        QVERIFY(exported.wait());
        QCOMPARE(read("out/config.json"), read("checkpoint/config.json"));
        QCOMPARE(read("out.yaml"), read("checkpoint/recipe.yaml"));
        QCOMPARE(it.settings.exportFolder(), m_folder->path());
        QCOMPARE(it.status(), QStringLiteral("Exported to %1 and %2").arg(m_folder->filePath(QStringLiteral("out")), m_folder->filePath(QStringLiteral("out.yaml"))));

        QVERIFY(it.snippets()->isVisible());
        it.button<QPushButton>("Copy")->click();
        QCOMPARE(QApplication::clipboard()->text(), QStringLiteral("vllm serve %1\n").arg(m_folder->filePath(QStringLiteral("out"))));
        it.dialog.findChild<QSpinBox*>()->setValue(2);
        QTRY_COMPARE(it.verdict(), QStringLiteral("1 problem would keep vLLM from loading it."));
        QVERIFY(it.snippets()->currentWidget()->findChild<QPlainTextEdit*>()->toPlainText().endsWith(QStringLiteral("--tensor-parallel-size 2")));
        QDesktopServices::setUrlHandler(QStringLiteral("file"), this, "takeUrl");
        it.button<QPushButton>("Open folder")->click();
        QDesktopServices::unsetUrlHandler(QStringLiteral("file"));
        QCOMPARE(m_opened.toLocalFile(), m_folder->filePath(QStringLiteral("out")));
        it.dialog.closeButton()->click();
        QVERIFY(!it.dialog.isVisible());
    }

    void dialogExportsTheRecipeAlone() {
        Export it(path("checkpoint"), m_folder->filePath(QStringLiteral("out")));
        it.button<QCheckBox>("Checkpoint")->click();
        QVERIFY(!it.dialog.exportButton()->isEnabled());
        QCOMPARE(it.status(), QStringLiteral("Choose what to export."));
        it.button<QCheckBox>("Recipe")->click();
        QSignalSpy exported(&it.dialog, &ExportDialog::exported);
        it.dialog.exportButton()->click();
        QVERIFY(exported.wait());
        QCOMPARE(entries(), (QStringList{QStringLiteral("checkpoint"), QStringLiteral("out.yaml")}));
        QVERIFY(!it.snippets()->isVisible());
    }

    void dialogCancels() {
        write(QStringLiteral("checkpoint/sub/second.safetensors"), QByteArray(200 << 20, 'x'));
        Export it(path("checkpoint"), m_folder->filePath(QStringLiteral("out")));
        it.button<QCheckBox>("Recipe")->click();
        it.dialog.exportButton()->click();
        QCOMPARE(it.dialog.closeButton()->text(), QStringLiteral("Cancel"));
        QVERIFY(!it.dialog.destination()->isEnabled());
        QTest::keyClick(&it.dialog, Qt::Key_Escape);
        QVERIFY(it.dialog.isVisible());
        QVERIFY(it.ended());
        QCOMPARE(it.status(), QStringLiteral("Cancelled; nothing was left behind."));
        QCOMPARE(entries(), QStringList{QStringLiteral("checkpoint")});
        QVERIFY(it.dialog.exportButton()->isEnabled());
    }

    void dialogOnAFullDisk() {
        Export it(path("checkpoint"), m_folder->filePath(QStringLiteral("out")));
        it.button<QCheckBox>("Recipe")->click();
        {
            const FullDisk full(5 << 20);
            it.dialog.exportButton()->click();
            QVERIFY(it.ended());
        }
        QVERIFY2(it.status().endsWith(QStringLiteral("is the disk full?")), qPrintable(it.status()));
        QCOMPARE(entries(), QStringList{QStringLiteral("checkpoint")});
        it.dialog.exportButton()->click();
        QVERIFY(it.ended());
        QVERIFY(it.status().startsWith(QStringLiteral("Exported to")));
    }

    void dialogKnowsWhatADiskHolds() {
        QFile huge(m_folder->filePath(QStringLiteral("checkpoint/huge.safetensors")));
        QVERIFY(huge.open(QIODevice::WriteOnly) && huge.resize(qint64{4} << 40));  // of holes
        Export it(path("checkpoint"), m_folder->filePath(QStringLiteral("out")));
        QVERIFY(!it.dialog.exportButton()->isEnabled());
        QVERIFY2(it.status().contains(QStringLiteral(" left and the checkpoint needs 4")), qPrintable(it.status()));
    }

    void dialogWithoutACheckpoint() {
        Export it(path("nothing"), m_folder->filePath(QStringLiteral("out")));
        QVERIFY2(it.facts().contains(QStringLiteral("cannot be read")), qPrintable(it.facts()));
        QVERIFY(!it.dialog.exportButton()->isEnabled());
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

public Q_SLOTS:
    void takeUrl(const QUrl& url) { m_opened = url; }

private:
    QByteArray read(const char* name) const {
        QFile file(m_folder->filePath(QString::fromLatin1(name)));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
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
    QUrl m_opened;
};

QTEST_MAIN(TestExport)
#include "tst_export.moc"
