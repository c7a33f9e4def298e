#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

/// The programs as a package leaves them, moved to where nobody expected them: only what they were installed with is beside them.
class InstallTest : public QObject {
    Q_OBJECT

    QTemporaryDir dir_;

    [[nodiscard]] QString path(const QString& name) const { return dir_.filePath("moved/" + name); }

    /// What it printed; fails the test when it ends with anything but 0.
    [[nodiscard]] QString run(const QString& program, const QStringList& arguments) const {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        for (const char* name : {"CALIBENCH_RESOURCES", "LD_LIBRARY_PATH"}) environment.remove(name);
        environment.insert("HOME", dir_.path());
        QProcess process;
        process.setProcessEnvironment(environment);
        process.start(program, arguments);
        if (!process.waitForFinished(120000)) QTest::qFail(qPrintable(program + ": " + process.errorString()), __FILE__, __LINE__);
        else if (process.exitStatus() != QProcess::NormalExit || process.exitCode() != 0)
            QTest::qFail(qPrintable(program + ": " + process.readAllStandardError()), __FILE__, __LINE__);
        return process.readAllStandardOutput();
    }

private Q_SLOTS:
    void initTestCase() {
        (void)run(CALIBENCH_CMAKE, {"--install", CALIBENCH_BUILD, "--prefix", dir_.filePath("prefix")});
        QVERIFY(QDir().rename(dir_.filePath("prefix"), dir_.filePath("moved")));
    }

    void puts_files_where_a_desktop_looks_for_them_data() {
        QTest::addColumn<QString>("file");
        for (const char* file : {"bin/calibench", "bin/calibench-cli", CALIBENCH_LIBDIR "/calibench/libcalibench_calm_threads.so", "share/man/man1/calibench-cli.1",
                                 "share/applications/calibench.desktop", "share/metainfo/io.github.calibench.Calibench.metainfo.xml",
                                 "share/icons/hicolor/scalable/apps/calibench.svg", "share/calibench/demo/shakespeare.txt",
                                 "share/calibench/demo/tiny-llama-shakespeare/model.safetensors", "share/calibench/recipes/rtn_w8a16.yaml"})
            QTest::addRow("%s", file) << QString(file);
    }
    void puts_files_where_a_desktop_looks_for_them() {
        QFETCH(QString, file);
        QVERIFY(QFileInfo(path(file)).size() > 0);
    }

    void quantizes_the_installed_demo() {
        const QString cli = path("bin/calibench-cli");
        QVERIFY(run(cli, {"--version"}).startsWith("calibench-cli "));
        (void)run(cli, {"run", "--model", path("share/calibench/demo/tiny-llama-shakespeare"), "--recipe", path("share/calibench/recipes/rtn_w8a16.yaml"), "--output", path("out"),
                  "--threads", "1"});
        QVERIFY(QFileInfo(path("out/model.safetensors")).size() > 0);
    }

    void opens_the_installed_demo() {
        const QString window = path("bin/calibench");
        QVERIFY(run(window, {"--help"}).contains("--demo"));
        QCOMPARE(run(window, {"--demo", "--report-startup", "--settings", path("settings.ini")}), QString("window\ndemo\n"));
        QFile settings(path("settings.ini"));
        QVERIFY(settings.open(QIODevice::ReadOnly));
        const QByteArray kept = settings.readAll();
        QVERIFY2(kept.contains(path("share/calibench/demo/tiny-llama-shakespeare").toUtf8()), kept.constData());  // not the source tree's
    }
};

QTEST_GUILESS_MAIN(InstallTest)
#include "tst_install.moc"
