#include <algorithm>
#include <chrono>
#include <thread>

#include <ATen/Parallel.h>
#include <QTest>

#include "tests/core/calibration/ordered_run.h"

using namespace calibench;
using namespace calibench::testing;

/// What is told while a block is observed.
class LiveObservationTest : public OrderedRun {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { at::set_num_threads(1); }
    void init() { begin(); }

    void ranges_and_counts_fill_in_while_a_block_is_observed() {
        recorder_.react = [](const RunEvent& event) {  // progress is told after a tenth of a second: every batch takes that long
            if (const auto* progress = std::get_if<Progress>(&event); progress && progress->stage == "observing" && progress->block == 1)
                std::this_thread::sleep_for(std::chrono::milliseconds(150));
        };
        RunConfig slow = config(moe, nearest_w8);
        slow.batch_size = 1;
        (void)run(slow);
        std::vector<int64_t> counts;
        for (const auto& counted : recorder_.all<TokensCounted>())
            if (counted.module == "model.layers.1.self_attn.q_proj") counts.push_back(counted.tokens);
        QVERIFY(counts.size() > 2);
        QVERIFY(std::is_sorted(counts.begin(), counts.end()));
        QVERIFY(counts.front() < counts.back());
        QCOMPARE(counts.back(), 4 * 40);
        size_t ranges = 0;
        for (const auto& range : recorder_.all<RangeObserved>()) ranges += range.tap == Tap::Input && range.module == "model.layers.1.self_attn.q_proj";
        QCOMPARE(ranges, counts.size());
    }
};

QTEST_GUILESS_MAIN(LiveObservationTest)
#include "tst_live_observation.moc"
