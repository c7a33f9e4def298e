#include <algorithm>

#include <QtTest/QTest>

#include "tests/golden/golden_set.h"

using namespace calibench::testing;

namespace {

struct Group {
    const char* name;
    bool has_tensors;
};

/// Every group that a ctest golden.<group> reads.
constexpr Group known_groups[] = {
    {"flatten", true},         {"observers", true},       {"qparams", true},    {"fake_quantize", true}, {"pack", true},
    {"schemes", false},        {"autoround_qdq", true},   {"autoround_block", true}, {"tokenizer", false},
    {"model_logits", true},
};

}  // namespace

/// A set of reference vectors must be complete, and must hold nothing that no test looks at.
class GoldenCoverage : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_group_is_there_data() {
        QTest::addColumn<bool>("has_tensors");
        for (const Group& group : known_groups) QTest::newRow(group.name) << group.has_tensors;
    }

    void every_group_is_there() {
        QFETCH(bool, has_tensors);
        const std::string group = QTest::currentDataTag();
        QVERIFY2(std::filesystem::exists(golden_directory() / (group + ".json")), "the cases are missing");
        QCOMPARE(std::filesystem::exists(golden_directory() / (group + ".safetensors")), has_tensors);
        QVERIFY2(!GoldenSet(group).cases().empty(), "the group has no case");
    }

    void every_file_belongs_to_a_group() {
        for (const auto& file : std::filesystem::directory_iterator(golden_directory())) {
            const std::string extension = file.path().extension().string();
            if (extension != ".json" && extension != ".safetensors") continue;
            const std::string group = file.path().stem().string();
            const bool known = std::any_of(std::begin(known_groups), std::end(known_groups),
                                           [&](const Group& candidate) { return candidate.name == group; });
            QVERIFY2(known, (group + " is no group that a test reads").c_str());
        }
    }
};

QTEST_APPLESS_MAIN(GoldenCoverage)
#include "golden_coverage.moc"
