#include <cmath>
#include <set>
#include <limits>

#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/calibration/run_events.h"

using namespace calibench;

class TestRunEvents : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void everyEventSurvivesItsJournalLine_data();
    void everyEventSurvivesItsJournalLine();
    void notANumberIsKept();
    void refusesWhatIsNoEvent();
};

static const std::vector<RunEvent>& examples() {
    static const std::vector<RunEvent> events = {
        RunStarted{"tiny", "LlamaForCausalLM", 4, 28, 32, 256, 20, "cpu", "bfloat16", 2, 3, 8},
        BlockStarted{3, "model.layers.3"},
        RangeObserved{3, "model.layers.3.mlp.up_proj", Tap::Input, -4.5, 1.0 / 3, -3.25, 0.1},
        TokensCounted{2, "model.layers.2.mlp.experts.5.up_proj", 5, 8192},
        LossRecorded{1, 17, 1.2345678901234567e-5, true, 1},
        BlockRedone{1, 1, 400, 0.0025, "iters 200 -> 400"},
        RecipeChanged{"quant_stage:\n  # as it was\n"},
        ModuleQuantized{1, "lm_head", "W4 g64 sym", 21.75},
        OutputErrorMeasured{1, "model.layers.1.mlp.up_proj", 21.5, 24.25, std::numeric_limits<double>::infinity()},
        BlockFinished{1, 3e-4, 2e-4, 11, 1.5, 2, 1},
        Progress{1, 4, 3, 20, "tuning", 0.3, 12.5, 30.25},
        Progress{0, 4, 0, 0, "opening", 0, 0, std::nullopt},
        Warning{"", "fewer samples than asked: \xE2\x82\xAC\n", Warning::Kind::StarvedExpert},
        Paused{},
        Resumed{},
        RunFinished{{61.5, 28, 123456789012, 4e-4, 3e-4, "/out/a b", "/runs/1"}},
        RunStopped{2},
        RunFailed{"the disk is full"},
    };
    return events;
}

void TestRunEvents::everyEventSurvivesItsJournalLine_data() {
    QTest::addColumn<int>("index");
    std::set<size_t> kinds;
    for (size_t i = 0; i < examples().size(); ++i) {
        const auto json = to_json(examples()[i]);
        QTest::addRow("%zu %s", i, json["event"].get<std::string>().c_str()) << int(i);
        kinds.insert(examples()[i].index());
    }
    QCOMPARE(kinds.size(), std::variant_size_v<RunEvent>);
}

void TestRunEvents::everyEventSurvivesItsJournalLine() {
    QFETCH(int, index);
    const RunEvent& event = examples()[size_t(index)];
    const std::string line = to_json(event).dump();
    QVERIFY(line.find('\n') == std::string::npos);
    const RunEvent read = run_event_from_json(nlohmann::json::parse(line));
    QCOMPARE(read.index(), event.index());
    QCOMPARE(to_json(read).dump(), line);
}

void TestRunEvents::notANumberIsKept() {
    const std::string line = to_json(LossRecorded{0, 0, std::numeric_limits<double>::quiet_NaN(), false}).dump();
    const auto read = std::get<LossRecorded>(run_event_from_json(nlohmann::json::parse(line)));
    QVERIFY(std::isnan(read.loss_mse));
    const auto progress = std::get<Progress>(run_event_from_json(to_json(Progress{})));
    QVERIFY(!progress.remaining_seconds);
    const std::string lossless = to_json(OutputErrorMeasured{0, "m", 20, 20, std::numeric_limits<double>::infinity()}).dump();
    const auto error = std::get<OutputErrorMeasured>(run_event_from_json(nlohmann::json::parse(lossless)));
    QCOMPARE(error.inherited_sqnr_db, std::numeric_limits<double>::infinity());
}

void TestRunEvents::refusesWhatIsNoEvent() {
    for (const char* text : {R"({"event": "earthquake"})", R"({"event": "loss", "block": 1})", R"({"event": 3})", R"({})", "[]", "7"})
        QVERIFY_EXCEPTION_THROWN((void)run_event_from_json(nlohmann::json::parse(text)), InputError);
}

QTEST_GUILESS_MAIN(TestRunEvents)
#include "tst_run_events.moc"
