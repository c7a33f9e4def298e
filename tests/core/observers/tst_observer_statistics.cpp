#include <atomic>
#include <limits>
#include <thread>

#include <QtTest/QTest>

#include "core/observers/flatten.h"
#include "core/observers/imatrix.h"
#include "tests/core/observers/observer_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

/// What must hold of the statistics whatever the data.
class ObserverStatistics : public QObject {
    Q_OBJECT

    static std::unique_ptr<Observer> input_observer(const std::string& name, nlohmann::json kwargs = nlohmann::json::object()) {
        return make_observer(name, "input", make_args(8, true, Strategy::Tensor), ObservedModule{"model.layers.0.mlp.up_proj"}, kwargs);
    }

private Q_SLOTS:
    void a_range_contains_its_data_data() {
        QTest::addColumn<int>("strategy");
        QTest::addColumn<bool>("bfloat16");
        for (const Strategy strategy : {Strategy::Tensor, Strategy::Channel, Strategy::Group})
            for (const bool bfloat16 : {false, true})
                QTest::addRow("%s %s", to_string(strategy).c_str(), bfloat16 ? "bfloat16" : "float32") << int(strategy) << bfloat16;
    }

    void a_range_contains_its_data() {
        QFETCH(int, strategy);
        QFETCH(bool, bfloat16);
        const QuantizationArgs args = make_args(4, false, Strategy(strategy), Strategy(strategy) == Strategy::Group ? 32 : 0);
        const auto observer = make_observer("static_minmax", "weight", args);
        for (uint64_t seed = 0; seed < 5; ++seed) {
            const at::Tensor weight = heavy_tailed({24, 96}, seed).to(bfloat16 ? at::kBFloat16 : at::kFloat);
            const at::Tensor flattened = flatten_for_calibration(weight, "weight", args);
            observer->update_statistics(flattened);
            QVERIFY((flattened >= observer->min_vals().unsqueeze(-1)).all().item<bool>());
            QVERIFY((flattened <= observer->max_vals().unsqueeze(-1)).all().item<bool>());
        }
    }

    void two_halves_merge_to_the_whole_data() {
        QTest::addColumn<bool>("empty_first");
        QTest::newRow("both halves hold data") << false;
        QTest::newRow("one half is empty") << true;
    }

    void two_halves_merge_to_the_whole() {
        QFETCH(bool, empty_first);
        const at::Tensor batch = heavy_tailed({8, 12, 48}, 7);
        const auto whole = input_observer("static_minmax"), first = input_observer("static_minmax"), second = input_observer("static_minmax");
        (void)whole->forward(batch);
        if (!empty_first) (void)first->forward(batch.narrow(0, 0, 3));
        (void)second->forward(empty_first ? batch : batch.narrow(0, 3, 5));
        first->merge(*second);
        QVERIFY(first->min_vals().equal(whole->min_vals()));
        QVERIFY(first->max_vals().equal(whole->max_vals()));
        QVERIFY(first->get_qparams().scale.equal(whole->get_qparams().scale));
        QCOMPARE(first->num_tokens_seen(), whole->num_tokens_seen());
        QVERIFY(first->num_observed_tokens() == whole->num_observed_tokens());
    }

    void importance_merges_by_sum() {
        const QuantizationArgs args = make_args(4, true, Strategy::Group, 16);
        const at::Tensor inputs = at::ones({6, 5, 32}) * at::arange(1, 33);  // whole numbers: sums are exact in any order
        const at::Tensor weight = heavy_tailed({8, 32}, 3);
        IMatrixMseObserver whole("weight", args), first("weight", args), second("weight", args);
        whole.observe_input(inputs);
        first.observe_input(inputs.narrow(0, 0, 2));
        second.observe_input(inputs.narrow(0, 2, 4));
        first.merge(second);
        QVERIFY(first.importance_sum().equal(whole.importance_sum()));
        QCOMPARE(first.importance_count(), whole.importance_count());
        whole.observe(weight);
        first.observe(weight);
        QVERIFY(first.min_vals().equal(whole.min_vals()));
    }

    void a_moving_average_follows_its_recurrence() {
        const double c = 0.25;
        const auto observer = input_observer("minmax", {{"averaging_constant", c}});
        double min = 0, max = 0;
        for (uint64_t seed = 0; seed < 6; ++seed) {
            const at::Tensor batch = heavy_tailed({2, 9, 16}, seed);
            observer->observe(batch);
            const double now_min = batch.min().item<double>(), now_max = batch.max().item<double>();
            min = seed == 0 ? now_min : min * (1 - c) + now_min * c;
            max = seed == 0 ? now_max : max * (1 - c) + now_max * c;
            QVERIFY(std::abs(observer->min_vals().item<double>() - min) < 1e-6);
            QVERIFY(std::abs(observer->max_vals().item<double>() - max) < 1e-6);
        }
    }

    void moving_averages_merge_by_mean_of_all() {
        const auto first = input_observer("minmax"), second = input_observer("minmax"), third = input_observer("minmax");
        first->observe(at::full({1, 1, 4}, 1.0f));
        second->observe(at::full({1, 1, 4}, 2.0f));
        third->observe(at::full({1, 1, 4}, 6.0f));
        first->merge(*second);
        first->merge(*third);
        QCOMPARE(first->max_vals().item<float>(), 3.0f);
    }

    void observers_of_other_types_or_shapes_do_not_merge() {
        const auto first = input_observer("static_minmax"), second = input_observer("minmax");
        QVERIFY(!thrown_by([&] { first->merge(*second); }).empty());
        const auto per_row = make_observer("static_minmax", "weight", make_args(8, true, Strategy::Channel));
        const auto other_rows = make_observer("static_minmax", "weight", make_args(8, true, Strategy::Channel));
        per_row->observe(at::ones({3, 4}));
        other_rows->observe(at::ones({5, 4}));
        QVERIFY(!thrown_by([&] { per_row->merge(*other_rows); }).empty());
        QCOMPARE(per_row->min_vals().numel(), int64_t{3});
    }

    void values_without_a_number_are_reported_data() {
        QTest::addColumn<QString>("observer");
        for (const std::string& name : observer_names()) QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }

    void values_without_a_number_are_reported() {
        QFETCH(QString, observer);
        const auto watching = input_observer(observer.toStdString());
        watching->observe(heavy_tailed({2, 3, 32}, 1));
        const at::Tensor before = watching->min_vals().clone();

        at::Tensor broken = heavy_tailed({2, 3, 32}, 2);
        broken[0][1][5] = std::numeric_limits<float>::quiet_NaN();
        broken[1][2].narrow(0, 3, 2).fill_(-std::numeric_limits<float>::infinity());
        const std::string message = thrown_by([&] { watching->observe(broken); });
        QVERIFY2(message.find("model.layers.0.mlp.up_proj") != std::string::npos, message.c_str());
        QVERIFY2(message.find("1 NaN and 2 infinite") != std::string::npos, message.c_str());
        QVERIFY(watching->min_vals().equal(before));
    }

    void only_two_dimensions_count_strictly() {
        const auto observer = input_observer("static_minmax");
        QVERIFY(!observer->num_observed_tokens().has_value());
        observer->record_observed_tokens(at::ones({2, 5, 8}));
        QVERIFY(!observer->num_observed_tokens().has_value());
        QCOMPARE(observer->num_tokens_seen(), int64_t{10});
        observer->record_observed_tokens(at::ones({7, 8}));
        observer->record_observed_tokens(at::ones({0, 8}));
        observer->record_observed_tokens(at::ones({4, 8}));
        QVERIFY(observer->num_observed_tokens() == 11);
        QCOMPARE(observer->num_tokens_seen(), int64_t{21});
        observer->reset();
        QVERIFY(!observer->num_observed_tokens().has_value());
    }

    void token_counts_are_those_of_input_observers() {
        const QuantizationArgs args = make_args(8, true, Strategy::Tensor);
        const auto busy = make_observer("minmax", "input", args, ObservedModule{"experts.0.up_proj"});
        const auto idle = make_observer("minmax", "input", args, ObservedModule{"experts.1.up_proj"});
        const auto weight = make_observer("minmax", "weight", args, ObservedModule{"experts.0.up_proj.weight"});
        (void)busy->forward(at::ones({6, 4}));
        (void)weight->forward(at::ones({3, 4}));
        const std::vector<const Observer*> observers = {busy.get(), idle.get(), weight.get()};
        const auto counts = observer_token_counts(observers);
        QCOMPARE(counts.size(), size_t{2});
        QVERIFY(counts.at("experts.0.up_proj") == 6);
        QVERIFY(!counts.at("experts.1.up_proj").has_value());
    }

    void a_weight_is_observed_once() {
        const auto observer = make_observer("static_minmax", "weight", make_args(8, true, Strategy::Channel));
        observer->observe(at::ones({2, 4}));
        observer->observe(at::ones({2, 4}) * 9);
        QCOMPARE(observer->max_vals().max().item<float>(), 1.0f);
        observer->reset();
        QVERIFY(!observer->has_statistics());
        QVERIFY(!thrown_by([&] { (void)observer->get_qparams(); }).empty());
        observer->observe(at::ones({2, 4}) * 9);
        QCOMPARE(observer->max_vals().max().item<float>(), 9.0f);
    }

    void reduced_dimensions_keep_size_one() {
        const auto observer = make_observer("memoryless_minmax", "weight", make_args(8, true, Strategy::Channel));
        const at::Tensor weight = heavy_tailed({6, 4, 10}, 5);
        const auto by_row = observer->calculate_qparams(weight, {1, -1});
        QVERIFY((by_row.scale.sizes() == at::IntArrayRef{6, 1, 1}));
        const at::Tensor expected = weight.abs().amax({1, 2}) / 127.5;
        QVERIFY(by_row.scale.flatten().allclose(expected));
    }

    void statistics_can_be_read_during_a_run() {
        const auto observer = input_observer("static_minmax");
        observer->observe(at::zeros({1, 1, 8}));
        std::atomic<bool> done{false};
        std::atomic<bool> consistent{true};
        std::thread reader([&] {
            float last = 0;
            while (!done) {
                const MinMax now = observer->statistics();
                const float max = now.max.item<float>();
                if (now.min.item<float>() != -max || max < last) consistent = false;
                last = max;
            }
        });
        for (int step = 1; step <= 2000; ++step) {
            const float x = float(step);
            observer->observe(at::tensor({-x, x}).view({1, 1, 2}));
        }
        done = true;
        reader.join();
        QVERIFY(consistent);
        QCOMPARE(observer->max_vals().item<float>(), 2000.0f);
    }

    void names_and_options_are_checked() {
        const QuantizationArgs args = make_args(8, true, Strategy::Tensor);
        const std::string unknown = thrown_by([&] { (void)make_observer("static_minmx", "input", args); });
        QVERIFY2(unknown.find("did you mean \"static_minmax\"") != std::string::npos, unknown.c_str());
        QVERIFY(make_observer("Static-MinMax", "input", args) != nullptr);
        const std::string option = thrown_by([&] { (void)make_observer("minmax", "input", args, {}, {{"averaging_constant", "fast"}}); });
        QVERIFY2(option.find("averaging_constant") != std::string::npos, option.c_str());
        QVERIFY(!thrown_by([&] { (void)make_observer("mse", "weight", args, {}, {{"norm", -1}}); }).empty());

        QCOMPARE(weight_observer_name("minmax"), std::string("memoryless_minmax"));
        QCOMPARE(weight_observer_name("static_minmax"), std::string("memoryless_minmax"));
        QCOMPARE(weight_observer_name("mse"), std::string("memoryless_mse"));
        QCOMPARE(weight_observer_name("imatrix_mse"), std::string("imatrix_mse"));
    }
};

QTEST_APPLESS_MAIN(ObserverStatistics)
#include "tst_observer_statistics.moc"
