#include <cmath>

#include <ATen/ATen.h>

#include "core/observers/flatten.h"
#include "core/observers/fused_groups.h"
#include "core/observers/imatrix.h"
#include "core/observers/registry.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

/// Observers against llm-compressor's: statistics after every observation, then scale, zero point and global scale.
class GoldenObservers : public QObject {
    Q_OBJECT

    const GoldenSet golden_{"observers"};

    static std::unique_ptr<Observer> observer_of(const GoldenCase& golden) {
        return make_observer(golden.args.at("observer").get<std::string>(), golden.args.at("base_name").get<std::string>(),
                             quantization_args_from_json(golden.args.at("qargs"), ArgsSource::Checkpoint), {},
                             golden.args.value("observer_kwargs", nlohmann::json::object()));
    }

    static bool searches(const GoldenCase& golden) {
        const auto name = golden.args.at("observer").get<std::string>();
        return name.find("mse") != std::string::npos || name.find("imatrix") != std::string::npos;
    }

private Q_SLOTS:
    void min_max_data() { add_observation_rows(false); }

    void min_max() {
        const GoldenCase& golden = golden_.current();
        const auto observer = observer_of(golden);
        for (int i = 0; i < golden.args.at("n_observed").get<int>(); ++i) {
            observe(*observer, golden, i);
            const std::string index = std::to_string(i);
            GOLDEN_COMPARE(compare_bit_exact("min_" + index, observer->min_vals(), golden.expected_tensor("min_" + index)));
            GOLDEN_COMPARE(compare_bit_exact("max_" + index, observer->max_vals(), golden.expected_tensor("max_" + index)));
        }
        compare_qparams(*observer, golden);
    }

    void search_data() { add_observation_rows(true); }

    void search() {
        const GoldenCase& golden = golden_.current();
        const auto observer = observer_of(golden);
        bool same_steps = true;
        for (int i = 0; i < golden.args.at("n_observed").get<int>(); ++i) {
            observe(*observer, golden, i);
            same_steps = compare_search(*observer, golden, std::to_string(i)) && same_steps;
        }
        if (same_steps) compare_qparams(*observer, golden);
    }

    void importance_data() {
        add_rows([](const GoldenCase& golden) { return golden.inputs.contains("x_0"); });
    }

    void importance() {
        const GoldenCase& golden = golden_.current();
        const auto observer = observer_of(golden);
        for (const char* input : {"x_0", "x_1"}) observer->observe_input(golden.input(input));
        const auto& imatrix = dynamic_cast<const IMatrixMseObserver&>(*observer);
        GOLDEN_COMPARE(compare_close("imatrix_sum", imatrix.importance_sum(), golden.expected_tensor("imatrix_sum"), 1e-6, 0));
        QCOMPARE(imatrix.importance_count(), golden.expected.at("imatrix_count").get<int64_t>());

        observer->observe(golden.input("weight"));
        QCOMPARE(imatrix.fallback_reason(), std::string());
        if (compare_search(*observer, golden, "0")) compare_qparams(*observer, golden);
    }

    void fused_data() {
        add_rows([](const GoldenCase& golden) { return golden.args.contains("fused"); });
    }

    void fused() {
        const GoldenCase& golden = golden_.current();
        const auto names = golden.args.at("fused").get<std::vector<std::string>>();
        std::vector<std::unique_ptr<Observer>> observers;
        std::vector<Observer*> group;
        for (size_t i = 0; i < names.size(); ++i) {
            observers.push_back(observer_of(golden));
            observers.back()->observe(golden.input("weight_" + std::to_string(i)));
            group.push_back(observers.back().get());
        }
        share_global_scale(group);
        for (size_t i = 0; i < names.size(); ++i) compare_qparams(*observers[i], golden, "_" + std::to_string(i));
    }

    void errors_data() {
        add_rows([](const GoldenCase& golden) { return !golden.error.empty(); });
    }

    void errors() {
        const GoldenCase& golden = golden_.current();
        QCOMPARE(thrown_text([&] { (void)observer_of(golden); }), golden.error);
    }

    void every_case_has_a_test() {
        for (const GoldenCase& golden : golden_.cases())
            QVERIFY2(golden.args.contains("mode") || golden.inputs.contains("x_0") || golden.args.contains("fused") || !golden.error.empty(),
                     golden.name.c_str());
    }

private:
    void add_rows(const std::function<bool(const GoldenCase&)>& wanted) const {
        QTest::addColumn<int>("golden_case");
        for (size_t i = 0; i < golden_.cases().size(); ++i)
            if (wanted(golden_.cases()[i])) QTest::newRow(golden_.cases()[i].name.c_str()) << int(i);
    }

    void add_observation_rows(bool searching) const {
        add_rows([searching](const GoldenCase& golden) { return golden.args.contains("mode") && searches(golden) == searching; });
    }

    static void observe(Observer& observer, const GoldenCase& golden, int index) {
        const at::Tensor observed = golden.input("observed_" + std::to_string(index));
        if (golden.args.at("mode") == "forward")
            observer.forward(observed);
        else  // what releases before 0.9 do: every observation counts, weights too
            observer.update_statistics(flatten_for_calibration(observed, observer.base_name(), observer.args()));
    }

    static void compare_qparams(Observer& observer, const GoldenCase& golden, const std::string& suffix = "") {
        const ScaleAndZeroPoint qparams = observer.get_qparams();
        GOLDEN_COMPARE(compare_bit_exact("scale", qparams.scale, golden.expected_tensor("scale" + suffix)));
        GOLDEN_COMPARE(compare_bit_exact("zero_point", qparams.zero_point, golden.expected_tensor("zero_point" + suffix)));
        GOLDEN_COMPARE(compare_bit_exact("global_scale", observer.global_scale(), golden.expected_tensor("global_scale" + suffix)));
    }

    /// Whether the search found the reference's ranges, bit for bit. Where the steps differ it must be a near-tie: by the
    /// reference's own error curve where there is one, else a neighbouring step.
    bool compare_search(const Observer& observer, const GoldenCase& golden, const std::string& index) const {
        const at::Tensor min = golden.expected_tensor("min_" + index), max = golden.expected_tensor("max_" + index);
        const std::string difference = compare_bit_exact("min_" + index, observer.min_vals(), min) +
                                       compare_bit_exact("max_" + index, observer.max_vals(), max);
        if (difference.empty()) return true;
        const bool close = is_near_tie(observer, golden, min, max);
        if (!close) QTest::qFail(difference.c_str(), __FILE__, __LINE__);
        return false;
    }

    static bool is_near_tie(const Observer& observer, const GoldenCase& golden, const at::Tensor& min, const at::Tensor& max) {
        const double grid = observer.number_option("grid", default_grid(golden));
        const at::Tensor expected = at::maximum(min.abs(), max.abs()).to(at::kDouble).flatten();
        const at::Tensor actual = at::maximum(observer.min_vals().abs(), observer.max_vals().abs()).to(at::kDouble).flatten();
        const at::Tensor curve = golden.expected_tensor("err_curve");
        const double maxshrink = observer.number_option("maxshrink", 0.2);
        int differing = 0;
        for (int64_t group = 0; group < expected.numel(); ++group) {
            const double ratio = actual[group].item<double>() / expected[group].item<double>();
            if (ratio == 1.0) continue;
            ++differing;
            if (!curve.defined()) {
                // One step is 1/grid of the unshrunk range, at most 1/(grid * (1 - maxshrink)) of a shrunk one.
                if (std::abs(ratio - 1.0) > 1.01 / (grid * (1.0 - maxshrink))) return false;
                continue;
            }
            const at::Tensor errors = curve.flatten(1).select(1, group).to(at::kDouble);
            const double unshrunk = observed_absmax(observer, golden, group);
            const auto step = int64_t(std::lround((1.0 - actual[group].item<double>() / unshrunk) * grid));
            if (step < 0 || step >= errors.numel()) return false;
            const double best = errors.min().item<double>();
            if (errors[step].item<double>() > best * (1 + 1e-5)) return false;
        }
        // bfloat16 errors tie often; in float32 a tie is rare
        return differing <= (min.scalar_type() == at::kBFloat16 ? std::max<int64_t>(3, expected.numel() / 20) : 2);
    }

    static double default_grid(const GoldenCase& golden) {
        const auto name = golden.args.at("observer").get<std::string>();
        return name.find("nvfp4") != std::string::npos ? 200 : name.find("imatrix") != std::string::npos ? 20 : 100;
    }

    static double observed_absmax(const Observer& observer, const GoldenCase& golden, int64_t group) {
        const at::Tensor observed = flatten_for_calibration(golden.input("observed_0"), observer.base_name(), observer.args());
        const double expand = observer.number_option("expand", golden.args.at("observer") == "nvfp4_expanded_mse" ? 1.8 : 1.0);
        return observed.abs().amax({0, -1}).flatten()[group].item<double>() * expand;
    }
};

QTEST_APPLESS_MAIN(GoldenObservers)
#include "golden_observers.moc"
