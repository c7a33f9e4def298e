#include <QTest>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>

#include "core/kernels/cpu/parallel.h"

using namespace calibench;

class TestParallel : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase() { threads_ = at::get_num_threads(); }
    void cleanup() { at::set_num_threads(threads_); }
    void everyItemComesOnce_data();
    void everyItemComesOnce();
    void partsAreNotSmallerThanTheGrain();
    void loopsInsideOfLoops();
    void severalThreadsAtOnce();
    void failuresReachTheCaller();
    void manyShortLoops();

private:
    int threads_ = 1;
};

void TestParallel::everyItemComesOnce_data() {
    QTest::addColumn<int>("threads");
    QTest::addColumn<int>("count");
    QTest::addColumn<int>("grain");
    for (const int threads : {1, 2, 3, 7}) {
        for (const int count : {0, 1, 2, 63, 64, 1000, 100000}) {
            for (const int grain : {1, 100, 200000})
                QTest::addRow("%d threads, %d items of %d", threads, count, grain) << threads << count << grain;
        }
    }
}

void TestParallel::everyItemComesOnce() {
    QFETCH(int, threads);
    QFETCH(int, count);
    QFETCH(int, grain);
    at::set_num_threads(threads);
    std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
    });
    for (const auto& times : seen) QCOMPARE(times.load(), 1);
}

void TestParallel::partsAreNotSmallerThanTheGrain() {
    at::set_num_threads(3);
    std::atomic<int> small{0}, parts{0};
    parallel_for(1000, 70, [&](int64_t begin, int64_t end) {
        ++parts;
        if (end - begin < 70 && end != 1000) ++small;
    });
    QCOMPARE(small.load(), 0);
    QVERIFY(parts.load() > 1);
}

void TestParallel::loopsInsideOfLoops() {
    at::set_num_threads(3);
    std::atomic<int64_t> sum{0};
    parallel_for(20, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            parallel_for(100, 1, [&](int64_t first, int64_t last) { sum += (last - first) * (i + 1); });
    });
    QCOMPARE(sum.load(), int64_t{100 * 210});
}

void TestParallel::severalThreadsAtOnce() {
    at::set_num_threads(3);
    std::atomic<int64_t> sum{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
        callers.emplace_back([&] {
            at::set_num_threads(2);
            for (int round = 0; round < 200; ++round) parallel_for(500, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
        });
    }
    for (std::thread& caller : callers) caller.join();
    QCOMPARE(sum.load(), int64_t{4 * 200 * 500});
}

void TestParallel::failuresReachTheCaller() {
    at::set_num_threads(3);
    const auto fail = [](int64_t begin, int64_t end) {
        if (begin <= 700 && 700 < end) throw std::runtime_error("item 700");
    };
    QVERIFY_THROWS_EXCEPTION(std::runtime_error, parallel_for(1000, 1, fail));
    std::atomic<int64_t> sum{0};
    parallel_for(1000, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });  // the next one knows nothing of it
    QCOMPARE(sum.load(), int64_t{1000});
}

/// Whoever wakes up late for one finds the next.
void TestParallel::manyShortLoops() {
    for (int round = 0; round < 20000; ++round) {
        if (round % 100 == 0) at::set_num_threads(1 + round / 100 % 4);
        std::atomic<int64_t> sum{0};
        const int64_t count = 1 + round % 9;
        parallel_for(count, 1, [&](int64_t begin, int64_t end) { sum += (end - begin) * (round + 1); });
        QCOMPARE(sum.load(), count * (round + 1));
    }
}

QTEST_GUILESS_MAIN(TestParallel)
#include "tst_parallel.moc"
