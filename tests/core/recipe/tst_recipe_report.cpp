#include <QtTest/QTest>

#include <fstream>

#include <QTemporaryDir>

#include "core/base/error.h"
#include "core/recipe/recipe_report.h"
#include "tests/core/recipe/recipe_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

const std::filesystem::path resources = CALIBENCH_RESOURCES;

}  // namespace

class TestRecipeReport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// The examples are what people start from: each must run on both demo models without a word of complaint.
    void examples_fit_the_demo_models_data() {
        QTest::addColumn<QString>("recipe");
        QTest::addColumn<QString>("model");
        for (const auto& file : std::filesystem::directory_iterator(resources / "recipes"))
            for (const char* model : {"tiny-llama-shakespeare", "tiny-qwen3-moe-shakespeare"}) {
                const std::string name = file.path().filename().string();
                QTest::newRow((name + " on " + model).c_str()) << QString::fromStdString(name) << QString(model);
            }
    }

    void examples_fit_the_demo_models() {
        QFETCH(QString, recipe);
        QFETCH(QString, model);
        const std::filesystem::path file = resources / "recipes" / recipe.toStdString();
        const RecipeReport report = check_recipe(file, resources / "demo" / model.toStdString());
        QVERIFY2(report.diagnostics.empty(), to_text(report).c_str());
        QVERIFY(report.num_quantized > 0);
        for (const RecipeReport::Group& group : report.groups) {
            QVERIFY2(group.num_modules > 0, to_text(report).c_str());
            QVERIFY(!group.scheme.empty());
        }
        const Recipe loaded = load_recipe(file);
        QVERIFY(parse_recipe(to_yaml(loaded)).recipe == loaded);
    }

    void there_are_examples() {
        for (const char* name : {"autoround_w4a16_g64.yaml", "autoround_w2_g32_asym.yaml", "rtn_w8a16.yaml", "mixed_attn8_mlp4.yaml"})
            QVERIFY2(std::filesystem::exists(resources / "recipes" / name), name);
    }

    void counts_modules_and_weights() {
        const RecipeReport report = check_recipe(resources / "recipes" / "mixed_attn8_mlp4.yaml", resources / "demo" / "tiny-llama-shakespeare");
        QVERIFY2(report.ok(), to_text(report).c_str());
        QCOMPARE(report.num_quantized, size_t(28));
        QCOMPARE(report.num_left_alone, size_t(1));
        QCOMPARE(report.groups.size(), size_t(2));
        QCOMPARE(report.groups[0].num_modules, size_t(16));
        QCOMPARE(report.groups[0].num_weights, int64_t(4) * (2 * 256 * 256 + 2 * 128 * 256));
        QCOMPARE(report.groups[1].num_modules, size_t(12));
        QCOMPARE(report.groups[1].num_weights, int64_t(4) * 3 * 256 * 768);
        const nlohmann::json object = to_json(report);
        QCOMPARE(object.at("ok").get<bool>(), true);
        QCOMPARE(object.at("config_groups").at(1).at("num_modules").get<int>(), 12);
        VERIFY_CONTAINS(to_text(report), "28 modules quantized, 1 other Linear module left alone\n");
    }

    void tells_where_the_errors_are() {
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("r.yaml").toStdString();
        std::ofstream(file) << "s_stage:\n  q_modifiers:\n    AutoRoundModifier:\n      scheme: W4A16\n      iters: many\n";
        const RecipeReport report = check_recipe(file);
        QVERIFY(!report.ok());
        VERIFY_CONTAINS(to_text(report), file.string() + ":5:14: error: iters must be");
        VERIFY_CONTAINS(to_text(report), file.string() + ": 1 error\n");
        const nlohmann::json first = to_json(report).at("diagnostics").at(0);
        QCOMPARE(first.at("line").get<int>(), 5);
        QCOMPARE(first.at("column").get<int>(), 14);
        QCOMPARE(first.at("severity").get<std::string>(), std::string("error"));
        QVERIFY(!first.contains("fixes"));

        std::ofstream(file) << "s_stage:\n  q_modifiers:\n    AutoRoundModifier:\n      scheme: W4A16\n      itters: 3\n";
        const nlohmann::json fixable = to_json(check_recipe(file)).at("diagnostics").at(0);
        QCOMPARE(fixable.at("fixes").get<std::vector<std::string>>(), (std::vector<std::string>{"Change itters to iters", "Remove itters"}));
        QVERIFY_EXCEPTION_THROWN((void)check_recipe(directory.filePath("none.yaml").toStdString()), InputError);
    }
};

QTEST_APPLESS_MAIN(TestRecipeReport)
#include "tst_recipe_report.moc"
