#include <limits>
#include <numeric>
#include <set>

#include <QtTest/QTest>

#include <ATen/ATen.h>

#include "core/autoround/loss_mask.h"
#include "core/autoround/sample_order.h"
#include "core/autoround/sign_sgd.h"

using namespace calibench;

class TestSignSgd : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void steps_by_the_rate_against_the_sign() {
        constexpr float nan = std::numeric_limits<float>::quiet_NaN();
        at::Tensor parameter = at::tensor({1.0f, 1.0f, 1.0f, 1.0f, 1.0f});
        sign_sgd_step(parameter, at::tensor({3.0f, -1e-30f, 0.0f, -0.0f, nan}), 0.25f);
        QVERIFY(parameter.equal(at::tensor({0.75f, 1.25f, 1.0f, 1.0f, 1.0f})));
    }

    void decays_linearly_to_zero() {
        LinearDecay decay(0.1, 5);
        std::vector<float> rates;
        for (int i = 0; i < 6; ++i, decay.advance()) rates.push_back(decay.rate());
        for (size_t i = 0; i < 5; ++i) QVERIFY(std::abs(rates[i] - 0.1f * (1 - static_cast<float>(i) / 5)) < 1e-7f);
        QCOMPARE(rates[5], 0.0f);
        decay.advance();
        QCOMPARE(decay.rate(), 0.0f);
    }

    void default_rates_follow_iterations_and_bits() {
        AutoRoundOptions options;
        options.iters = 200;
        QCOMPARE(rounding_rate(options, 4), 1.0 / 200);
        QCOMPARE(rounding_rate(options, 2), 1.0 / 200);
        options.iters = 1000;
        QCOMPARE(rounding_rate(options, 3), 2.0 / 1000);
        QCOMPARE(rounding_rate(options, 4), 1.0 / 1000);
        QCOMPARE(minmax_rate(options, 3), 2.0 / 1000);
        options.effort = Effort::Quick;
        QCOMPARE(rounding_rate(options, 3), 0.5 / 1000);
        QCOMPARE(rounding_rate(options, 4), 1.0 / 1000);
        options.lr = 0.5;
        QCOMPARE(rounding_rate(options, 3), 0.5);
        QCOMPARE(minmax_rate(options, 3), 0.5);
        options.minmax_lr = 0.125;
        QCOMPARE(minmax_rate(options, 3), 0.125);
    }

    void every_sample_comes_once_per_round() {
        SampleOrder order(12, 4, 7);
        for (int round = 0; round < 5; ++round) {
            std::set<int64_t> seen;
            for (int i = 0; i < 3; ++i) {
                const std::vector<int64_t> batch = order.next();
                QCOMPARE(batch.size(), size_t{4});
                QVERIFY(std::is_sorted(batch.begin(), batch.end()));
                seen.insert(batch.begin(), batch.end());
            }
            QCOMPARE(seen.size(), size_t{12});
        }
    }

    void remainder_is_discarded() {
        SampleOrder order(10, 4, 7);
        for (int round = 0; round < 5; ++round) {
            std::set<int64_t> seen;
            for (int i = 0; i < 2; ++i) {
                for (const int64_t sample : order.next()) QVERIFY(seen.insert(sample).second);
            }
            QCOMPARE(seen.size(), size_t{8});
        }
    }

    void order_depends_on_the_seed_alone() {
        const auto sequence = [](uint64_t seed) {
            SampleOrder order(32, 8, seed);
            std::vector<int64_t> all;
            for (int i = 0; i < 12; ++i) {
                for (const int64_t sample : order.next()) all.push_back(sample);
            }
            return all;
        };
        QCOMPARE(sequence(42), sequence(42));
        QVERIFY(sequence(42) != sequence(43));
    }

    void every_block_has_an_order_of_its_own() {
        QCOMPARE(seed_of_block(42, 0), uint64_t{42});
        std::set<std::vector<int64_t>> first;
        for (const uint64_t seed : {42, 43})
            for (int64_t block = 0; block < 30; ++block) first.insert(SampleOrder(32, 8, seed_of_block(seed, block)).next());
        QCOMPARE(first.size(), size_t{60});
    }

    void batch_is_cut_to_the_samples_there_are() {
        SampleOrder order(3, 8, 1);
        QCOMPARE(order.next(), (std::vector<int64_t>{0, 1, 2}));
        QCOMPARE(order.next(), (std::vector<int64_t>{0, 1, 2}));
    }

    void loss_mask_leaves_out_padding_and_the_last_position() {
        const at::Tensor ids = at::tensor({5, 6, 7, 7, 7, 1, 2, 3, 4, 5}, at::kLong).view({2, 5});
        const auto mask = [](std::initializer_list<int> values) {
            return at::tensor(at::ArrayRef<int>(values)).to(at::kBool).view({2, 5});
        };
        QVERIFY(make_loss_mask(ids, {}, std::nullopt).equal(mask({1, 1, 0, 0, 0, 1, 1, 1, 1, 0})));
        QVERIFY(make_loss_mask(ids, {}, 6).equal(mask({1, 0, 1, 1, 0, 1, 1, 1, 1, 0})));
        const at::Tensor attention = at::tensor({0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, at::kLong).view({2, 5});
        QVERIFY(make_loss_mask(ids, attention, std::nullopt).equal(mask({0, 1, 0, 0, 0, 1, 1, 1, 1, 0})));
    }
};

QTEST_GUILESS_MAIN(TestSignSgd)
#include "test_sign_sgd.moc"
