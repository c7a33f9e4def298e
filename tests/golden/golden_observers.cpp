#include "core/observers/flatten.h"
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
    void min_max_data() { add_rows(false); }

    void min_max() {
        const GoldenCase& golden = golden_.current();
        const auto observer = observer_of(golden);
        for (int i = 0; i < golden.args.at("n_observed").get<int>(); ++i) {
            observe(*observer, golden, i);
            const std::string index = std::to_string(i);
            GOLDEN_COMPARE(compare_bit_exact("min_" + index, observer->min_vals(), golden.expected_tensor("min_" + index)));
            GOLDEN_COMPARE(compare_bit_exact("max_" + index, observer->max_vals(), golden.expected_tensor("max_" + index)));
        }
        const ScaleAndZeroPoint qparams = observer->get_qparams();
        GOLDEN_COMPARE(compare_bit_exact("scale", qparams.scale, golden.expected_tensor("scale")));
        GOLDEN_COMPARE(compare_bit_exact("zero_point", qparams.zero_point, golden.expected_tensor("zero_point")));
        GOLDEN_COMPARE(compare_bit_exact("global_scale", observer->global_scale(), golden.expected_tensor("global_scale")));
    }

private:
    void add_rows(bool searching) const {
        QTest::addColumn<int>("golden_case");
        for (size_t i = 0; i < golden_.cases().size(); ++i) {
            const GoldenCase& golden = golden_.cases()[i];
            if (golden.args.contains("mode") && searches(golden) == searching) QTest::newRow(golden.name.c_str()) << int(i);
        }
    }

    static void observe(Observer& observer, const GoldenCase& golden, int index) {
        const at::Tensor observed = golden.input("observed_" + std::to_string(index));
        if (golden.args.at("mode") == "forward")
            observer.forward(observed);
        else  // what releases before 0.9 do: every observation counts, weights too
            observer.update_statistics(flatten_for_calibration(observed, observer.base_name(), observer.args()));
    }
};

QTEST_APPLESS_MAIN(GoldenObservers)
#include "golden_observers.moc"
