#include <cstdint>

#include <QTest>

#include "tests/cli/cli_test.h"

using namespace calibench::testing;

/// Recipes and weights looked at before and after a run.
class ChecksTest : public CliTest {
    Q_OBJECT
private Q_SLOTS:
    void init() { begin(); }
    void recipeCheck();
    void checkBeforeTheRun();
    void presetsSayHowMuchWorkIsDone();
    void errorShowsTheWorstFirst();
    void errorShowsOneModuleClosely();
};

void ChecksTest::recipeCheck() {
    const QString good = write("good.yaml", recipe);
    QCOMPARE(run_cli({"recipe", "check", good}).code, 0);
    const Outcome on_model = run_cli({"recipe", "check", good, "--model", llama});
    QCOMPARE(on_model.code, 0);
    QVERIFY2(on_model.out.contains("28"), qPrintable(on_model.out));
    const Outcome bad = run_cli({"recipe", "check", write("bad.yaml", QByteArray(recipe).replace("num_bits: 4", "num_bitz: 4"))});
    QCOMPARE(bad.code, 2);
    QVERIFY2((bad.out + bad.err).contains("bad.yaml:8:"), qPrintable(bad.out + bad.err));
    const Outcome misfit = run_cli({"recipe", "check", write("misfit.yaml", QByteArray(recipe).replace("group_size: 64", "group_size: 96")), "--model", llama});
    QCOMPARE(misfit.code, 2);
}

void ChecksTest::checkBeforeTheRun() {
    const QStringList arguments = {"check", "--model", llama, "--recipe", write("recipe.yaml", recipe), "--json"};
    const Outcome good = run_cli(arguments);
    QCOMPARE(good.code, 0);
    QCOMPARE(parse(good.out)["num_quantized_modules"].get<int>(), 28);
    // 256 columns over 8 GPUs are 32 each: half a group.
    const Outcome cut = run_cli(arguments + QStringList{"--tensor-parallel", "8"});
    QCOMPARE(cut.code, 2);
    QVERIFY2(cut.out.contains("group_size 64 does not divide the 32 columns"), qPrintable(cut.out));
    const double few = parse(run_cli(arguments + QStringList{"--iters", "0"}).out)["estimated_run_seconds"].get<double>();
    const double many = parse(run_cli(arguments + QStringList{"--iters", "1000"}).out)["estimated_run_seconds"].get<double>();
    QVERIFY(few > 0 && many > 3 * few);  // without iterations scales are searched, which takes its time as well
}

void ChecksTest::presetsSayHowMuchWorkIsDone() {
    const QString recipe_file = write("recipe.yaml", recipe);
    const auto seconds = [&](const char* preset) {
        return parse(run_cli({"check", "--model", llama, "--recipe", recipe_file, "--preset", preset, "--json"}).out)["estimated_run_seconds"].get<double>();
    };
    QVERIFY(seconds("best") > 2 * seconds("default"));
    QVERIFY(seconds("default") > 2 * seconds("light"));

    // The samples are the command line's, the iterations the preset's; the export says so.
    const Outcome light = run_cli({"run", "--model", llama, "--dataset", text, "--recipe", recipe_file, "--output", path("light"), "--preset", "light", "--num-samples",
                                   "2", "--seq-len", "16", "--events", "-", "--quiet"});
    QVERIFY2(light.code == 0, qPrintable(light.err));
    const auto started = parse(light.out.section('\n', 0, 0));
    QCOMPARE(started["iters"].get<int>(), 50);
    QCOMPARE(started["num_samples"].get<int>(), 2);
    QVERIFY2(bytes("light/recipe.yaml").contains("lr: 0.005"), bytes("light/recipe.yaml").constData());

    const Outcome unknown = run_cli({"check", "--model", llama, "--recipe", recipe_file, "--preset", "quick"});
    QCOMPARE(unknown.code, 2);
    QVERIFY2(unknown.err.contains("best, default, light"), qPrintable(unknown.err));
}

void ChecksTest::errorShowsTheWorstFirst() {
    const QStringList arguments = {"error", "--model", llama, "--recipe", write("recipe.yaml", recipe)};
    const auto rounded = parse(run_cli(arguments + QStringList{"--json"}).out);
    QCOMPARE(rounded.size(), size_t(28));
    for (size_t i = 1; i < rounded.size(); ++i) QVERIFY(rounded[i - 1]["badness_db"].get<double>() >= rounded[i]["badness_db"].get<double>());

    // One scale of an export becomes a thousand, as bfloat16.
    const QByteArray to_nearest = QByteArray(recipe).replace("AutoRoundModifier", "QuantizationModifier").replace("      iters: 2\n      batch_size: 2\n", "");
    QCOMPARE(run_cli({"run", "--model", llama, "--recipe", write("nearest.yaml", to_nearest), "--output", path("out")}).code, 0);
    QFile weights(path("out/model.safetensors"));
    QVERIFY(weights.open(QIODevice::ReadWrite));
    uint64_t header_size = 0;
    QCOMPARE(weights.read(reinterpret_cast<char*>(&header_size), 8), 8);
    const auto header = parse(weights.read(qint64(header_size)));
    const auto offset = header["model.layers.2.mlp.up_proj.weight_scale"]["data_offsets"][0].get<qint64>();
    QVERIFY(weights.seek(qint64(8 + header_size) + offset + 2 * 100));
    QCOMPARE(weights.write("\x7a\x44", 2), 2);
    weights.close();
    const Outcome broken = run_cli(arguments + QStringList{"--checkpoint", path("out")});
    QCOMPARE(broken.code, 0);
    const QString first = broken.out.section('\n', 1, 1);
    QVERIFY2(first.startsWith("model.layers.2.mlp.up_proj ") && first.contains("times their median"), qPrintable(broken.out));
}

void ChecksTest::errorShowsOneModuleClosely() {
    const QStringList arguments = {"error", "--model", llama, "--recipe", write("recipe.yaml", recipe), "--module"};
    const auto json = parse(run_cli(arguments + QStringList{"model.layers.0.mlp.down_proj", "--json"}).out);
    QCOMPARE(json.size(), size_t(1));
    QCOMPARE(json[0]["weight"]["shape"].get<std::vector<int>>(), (std::vector<int>{256, 768}));
    QCOMPARE(json[0]["worst_rows"].size(), size_t(5));
    QCOMPARE(parse(run_cli(arguments + QStringList{"re:.*down_proj", "--json"}).out).size(), size_t(4));
    const Outcome plain = run_cli(arguments + QStringList{"model.layers.0.mlp.down_proj"});
    QVERIFY2(plain.out.contains("256 x 768, int4 g64 sym, 3072 scales"), qPrintable(plain.out));
    QVERIFY2(plain.out.contains("largest error"), qPrintable(plain.out));
    const Outcome nobody = run_cli(arguments + QStringList{"lm_head"});
    QCOMPARE(nobody.code, 2);
    QVERIFY2(nobody.err.startsWith("The recipe quantizes no module that \"lm_head\" names."), qPrintable(nobody.err));
}

QTEST_GUILESS_MAIN(ChecksTest)
#include "tst_checks.moc"
