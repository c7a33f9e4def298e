#include <QRandomGenerator>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "tests/ui/fixtures.h"
#include "ui/project/project_file.h"
#include "ui/project/recovery_file.h"

using namespace calibench;

class TestProjectFile : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { test::failOnAnyWarning(); }

    void isReadableAndRelative() {
        const Project project = example();
        const QByteArray yaml = writeProject(project, QStringLiteral("/home/me/work/tiny.calibench"));
        QCOMPARE(QString::fromUtf8(yaml), QStringLiteral(R"(calibench: 1
model: "models/tiny"
datasets:  # the first one is in use
  - file: "text.txt"
    samples: 64
    length: 256
    seed: 7
    iterations: 50
    batch: 4
  - file: "/data/other.jsonl"
    samples: 128
    length: 512
    seed: 42
recipe:
  text: |
    # ours
    test_stage:

      ignore: [lm_head]
runs:  # the newest last
  - "runs/1/run"
  - "/data/runs/2/run"
layout:
  tab: 2
  window: "AAH/"
)"));
        QCOMPARE(readProject(yaml, QStringLiteral("/home/me/work/tiny.calibench")), project);
        // The folder was moved: what lies below it moved with it.
        const Project moved = readProject(yaml, QStringLiteral("/mnt/tiny.calibench"));
        QCOMPARE(moved.model, QStringLiteral("/mnt/models/tiny"));
        QCOMPARE(moved.datasets[1].file, QStringLiteral("/data/other.jsonl"));
    }

    void keepsEveryTextExactly() {
        const QString alphabet = QStringLiteral("ab \n\t:#-'\"\\|>%&*{}[],é漢\u2028\u0001");
        QRandomGenerator random(1);
        const QString file = QStringLiteral("/p/x.calibench");
        for (int round = 0; round < 500; ++round) {
            Project project;
            for (int i = random.bounded(24); i > 0; --i) project.recipe.text += alphabet[random.bounded(int(alphabet.size()))];
            if (round % 2) project.recipe.text += QLatin1Char('\n');
            project.model = QStringLiteral("/p/") + QString(project.recipe.text).remove(QLatin1Char('\n')).remove(QLatin1Char('\\')) + QLatin1Char('x');
            const Project read = readProject(writeProject(project, file), file);
            QCOMPARE(read.recipe.text, project.recipe.text);
            QCOMPARE(read.model, QDir::cleanPath(project.model));
        }
    }

    void saysWhatIsWrongAndWhere_data() {
        QTest::addColumn<QByteArray>("yaml");
        QTest::addColumn<QString>("sentence");
        const auto row = [](const char* name, const QByteArray& yaml, const char* sentence) { QTest::newRow(name) << yaml << QString::fromUtf8(sentence); };
        row("empty", "", "x.calibench is no Calibench project: it does not say \"calibench: 1\".");
        row("text", "hello", "x.calibench is no Calibench project: it does not say \"calibench: 1\".");
        row("recipe", "test_stage:\n  a: 1\n", "x.calibench is no Calibench project: it does not say \"calibench: 1\".");
        row("binary", QByteArray("\0\x01\xff\xfe{", 5), "");
        row("unclosed", "calibench: 1\nmodel: [tiny\n", "x.calibench, line ");
        row("newer", "calibench: 2\n", "x.calibench, line 1: this project was saved by a newer Calibench; open it with that one.");
        row("version", "calibench: one\n", "x.calibench, line 1: calibench is a whole number from 1 to 2147483647.");
        row("typo", "calibench: 1\n\nmodle: tiny\n", "x.calibench, line 3: the key \"modle\" is unknown; model may be meant.");
        row("twice", "calibench: 1\nmodel: a\nmodel: b\n", "x.calibench, line 3: model stands here a second time.");
        row("model list", "calibench: 1\nmodel: [a]\n", "x.calibench, line 2: model is a text.");
        row("recipe text", "calibench: 1\nrecipe: here\n", "x.calibench, line 2: recipe is a map.");
        row("datasets map", "calibench: 1\ndatasets: {a: 1}\n", "x.calibench, line 2: datasets is a list.");
        row("no file", "calibench: 1\ndatasets:\n  - samples: 3\n", "x.calibench, line 3: this dataset names no file.");
        row("samples", "calibench: 1\ndatasets:\n  - file: a\n    samples: -3\n", "x.calibench, line 4: samples is a whole number from 1 to 2147483647.");
        row("huge", "calibench: 1\ndatasets:\n  - file: a\n    seed: 99999999999999999999\n", "x.calibench, line 4: seed is a whole number from 0 to 2147483647.");
        row("nul", "calibench: 1\nmodel: \"a\\0b\"\n", "x.calibench, line 2: model is no path.");
        row("runs", "calibench: 1\nruns: [[a]]\n", "x.calibench, line 2: runs is a text.");
        row("deep", "calibench: 1\nmodel: " + QByteArray(5000, '[') + "\n", "x.calibench");
        row("bomb", "calibench: 1\na: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b]\n", "x.calibench, line 2: the key \"a\" is unknown.");
        row("large", QByteArray(5 << 20, ' '), "x.calibench is too large to be a project.");
    }
    void saysWhatIsWrongAndWhere() {
        QFETCH(QByteArray, yaml);
        QFETCH(QString, sentence);
        QString said;
        try {
            (void)readProject(yaml, QStringLiteral("/p/x.calibench"));
        } catch (const InputError& error) {
            said = QString::fromUtf8(error.what());
        }
        QVERIFY2(!said.isEmpty() && said.startsWith(sentence), qPrintable(said));
        QVERIFY2(!said.contains(QStringLiteral("yaml-cpp")) && said.endsWith(QLatin1Char('.')), qPrintable(said));
    }

    void saysWhenItCannotBeReadOrWritten() {
        QVERIFY_THROWS_EXCEPTION(InputError, loadProject(QStringLiteral("/nowhere/x.calibench")));
        QVERIFY_THROWS_EXCEPTION(InputError, loadProject(QStringLiteral("/")));
        QVERIFY_THROWS_EXCEPTION(RunError, saveProject({}, QStringLiteral("/nowhere/x.calibench")));
    }

    void recoveryIsOfferedOnlyWhenItsWindowIsGone() {
        QTemporaryDir folder;
        const QString place = folder.filePath(QStringLiteral("recovery"));
        QVERIFY(!RecoveryFile::findLeft(place));
        {
            RecoveryFile recovery(place);
            recovery.write(example());
            QVERIFY(!RecoveryFile::findLeft(place));  // its window lives
        }
        {
            std::optional<RecoveryFile::Left> left = RecoveryFile::findLeft(place);
            QVERIFY(left);
            QCOMPARE(left->project(), example());
            QVERIFY(!RecoveryFile::findLeft(place));  // one window is asked, not two
        }
        RecoveryFile::findLeft(place)->discard();
        QVERIFY(!RecoveryFile::findLeft(place));
        {
            RecoveryFile recovery(place);
            recovery.write(example());
            recovery.clear();
        }
        QVERIFY(!RecoveryFile::findLeft(place));
        QFile damaged(place + QStringLiteral("/x.calibench"));
        QVERIFY(damaged.open(QIODevice::WriteOnly) && damaged.write("calibench: [") > 0);
        damaged.close();
        QVERIFY(!RecoveryFile::findLeft(place));
        QCOMPARE(QDir(place).entryList(QDir::Files), QStringList());
    }

private:
    static Project example() {
        return {.model = QStringLiteral("/home/me/work/models/tiny"),
                .datasets = {{.file = QStringLiteral("/home/me/work/text.txt"), .numSamples = 64, .seqLen = 256, .seed = 7, .iters = 50, .batchSize = 4},
                             {.file = QStringLiteral("/data/other.jsonl")}},
                .recipe = {.text = QStringLiteral("# ours\ntest_stage:\n\n  ignore: [lm_head]\n")},
                .runs = {QStringLiteral("/home/me/work/runs/1/run"), QStringLiteral("/data/runs/2/run")},
                .layout = {.window = QByteArray("\0\1\xff", 3), .tab = 2}};
    }
};

QTEST_GUILESS_MAIN(TestProjectFile)
#include "tst_project_file.moc"
