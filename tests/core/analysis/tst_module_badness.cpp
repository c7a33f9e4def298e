#include <limits>
#include <vector>

#include <QTest>

#include "core/analysis/module_badness.h"
#include "core/base/text.h"

using namespace calibench;

namespace {

ModuleOverview module(const std::string& name, double sqnr_db, const std::string& scheme = "W4 g64 sym") {
    ModuleOverview module;
    module.weight.module = name;
    module.weight.scheme = scheme;
    module.weight.rows = 100;
    module.weight.min = -1;
    module.weight.max = 1;
    module.weight.sqnr_db = module.weight.worst_group_sqnr_db = sqnr_db;
    module.weight.median_scale = module.weight.largest_scale = 1;
    module.weight.num_groups = 400;
    module.weight.group_rows = 1;
    module.weight.group_columns = 64;
    return module;
}

/// The same projection of so many blocks, all of 20 dB.
std::vector<ModuleOverview> blocks(int count, const std::string& leaf = "mlp.up_proj") {
    std::vector<ModuleOverview> modules;
    for (int block = 0; block < count; ++block) modules.push_back(module(concat("model.layers.", block, ".", leaf), 20));
    return modules;
}

ModuleOverview judged_last(std::vector<ModuleOverview> modules) {
    judge_modules(modules);
    for (size_t i = 0; i + 1 < modules.size(); ++i)
        if (modules[i].badness > 0) QTest::qFail(modules[i].reason.c_str(), __FILE__, __LINE__);
    return modules.back();
}

}  // namespace

/// Numbers made up so that the judgement can be worked out by hand.
class ModuleBadnessTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void is_the_distance_to_the_median_of_the_peers() {
        auto modules = blocks(5);
        modules.back().weight.sqnr_db = 13;
        const ModuleOverview judged = judged_last(modules);
        QCOMPARE(judged.badness, 7.0);
        QCOMPARE(judged.reason, "its weight loses 7 dB more than its peers' (13 dB, usually 20)");
    }

    void says_nothing_of_what_hardly_differs() {
        auto modules = blocks(5);
        modules.back().weight.sqnr_db = 18;
        const ModuleOverview judged = judged_last(modules);
        QCOMPARE(judged.badness, 2.0);
        QCOMPARE(judged.reason, "no worse than its peers");
    }

    void compares_the_same_projection_of_blocks_and_experts() {
        std::vector<ModuleOverview> modules;
        for (int block = 0; block < 2; ++block)
            for (int expert = 0; expert < 2; ++expert) modules.push_back(module(concat("model.layers.", block, ".mlp.experts.", expert, ".up_proj"), 10));
        for (ModuleOverview& other : blocks(5, "mlp.down_proj")) modules.push_back(other);  // better by nature
        modules.push_back(module("model.layers.2.mlp.experts.0.up_proj", 4));
        QCOMPARE(judged_last(modules).badness, 6.0);
    }

    void compares_few_with_all_of_their_scheme() {
        auto modules = blocks(5);
        modules.push_back(module("lm_head", 10));
        QCOMPARE(judged_last(modules).badness, 10.0);
        modules.back().weight.scheme = "W8 channel sym";  // nobody to be held against
        QCOMPARE(judged_last(modules).badness, 0.0);
    }

    void counts_half_for_a_single_group() {
        auto modules = blocks(5);
        modules.back().weight.worst_group_sqnr_db = 4;
        const ModuleOverview judged = judged_last(modules);
        QCOMPARE(judged.badness, 8.0);
        QVERIFY2(judged.reason.starts_with("its worst group of 64 values loses 16 dB more"), judged.reason.c_str());
    }

    void names_a_scale_that_sticks_out() {
        auto modules = blocks(5);
        modules.back().weight.sqnr_db = 5;
        modules.back().weight.largest_scale = 1000;
        QCOMPARE(judged_last(modules).reason, "the largest of its 400 scales is 1000 times their median");
    }

    void knows_what_is_broken_altogether() {
        auto modules = blocks(5);
        modules.back().weight.num_constant_rows = 50;
        QCOMPARE(judged_last(modules).badness, 30.0);
        QCOMPARE(judged_last(modules).reason, "50 of 100 rows quantize to a constant, though their values differ");
        modules.back().weight.min = modules.back().weight.max = 0.5;
        QCOMPARE(judged_last(modules).reason, "all values of its weight are 0.5");
        modules.back().weight.num_not_finite = 1;
        QCOMPARE(judged_last(modules).badness, most_badness);
        QCOMPARE(judged_last(modules).reason, "1 value of its weight is NaN or infinite");
    }

    void bears_what_loses_nothing() {
        auto modules = blocks(5);
        for (ModuleOverview& each : modules) each.weight.sqnr_db = each.weight.worst_group_sqnr_db = std::numeric_limits<double>::infinity();
        QCOMPARE(judged_last(modules).badness, 0.0);
        modules.back().weight.sqnr_db = 20;
        QCOMPARE(judged_last(modules).badness, most_badness - 20);
    }

    void counts_outliers_of_inputs_in_full_where_they_are_quantized() {
        auto modules = blocks(5);
        for (ModuleOverview& each : modules) each.input = InputFacts{.num_channels = 768, .outlier_ratio = 10};
        modules.back().input->outlier_ratio = 100;
        QCOMPARE(judged_last(modules).badness, 10.0);
        QCOMPARE(judged_last(modules).reason, "one of its 768 input channels is 100 times as large as their median, where 10 times is usual");
        for (ModuleOverview& each : modules) each.input_answer = InputAnswer{.sqnr_db = 30};
        QCOMPARE(judged_last(modules).badness, 20.0);
        modules.back().input_answer->sqnr_db = 5;
        QCOMPARE(judged_last(modules).reason, "its quantized inputs lose 25 dB more than its peers' (5 dB, usually 30)");
    }

    void looks_at_the_output_too() {
        auto modules = blocks(5);
        for (ModuleOverview& each : modules) each.output = OutputError{.local_sqnr_db = 25};
        modules.back().output->local_sqnr_db = 15;
        QCOMPARE(judged_last(modules).reason, "its rounding costs its output 10 dB more than its peers' (15 dB, usually 25)");
    }

    void leaves_modules_with_a_problem_alone() {
        auto modules = blocks(5);
        for (size_t i = 0; i < 4; ++i) {  // otherwise they would be the usual case
            modules[i].problem = "it is not there";
            modules[i].badness = -1;
        }
        const ModuleOverview judged = judged_last(modules);
        QCOMPARE(judged.badness, 0.0);
        judge_modules(modules);
        QCOMPARE(modules[0].badness, -1.0);
        QCOMPARE(modules[0].reason, "it is not there");
    }
};

QTEST_GUILESS_MAIN(ModuleBadnessTest)
#include "tst_module_badness.moc"
