#include "core/quantization/qparams.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

/// Group qparams: calculate_qparams and generate_gparam, bit exact.
class GoldenQParams : public QObject {
    Q_OBJECT

    const GoldenSet set_{"qparams"};

private Q_SLOTS:
    void matches_the_reference_data() { set_.add_rows(); }

    void matches_the_reference() {
        const GoldenCase& golden = set_.current();
        const at::Tensor min = golden.input("min");
        const at::Tensor max = golden.input("max");
        if (golden.args.at("fn") == "generate_gparam") {
            GOLDEN_COMPARE(compare_bit_exact("global_scale", generate_gparam(min, max), golden.expected_tensor("global_scale")));
            return;
        }
        const QuantizationArgs args = quantization_args_from_json(golden.args.at("qargs"));
        ScaleAndZeroPoint actual;
        const std::string error = thrown_text([&] { actual = calculate_qparams(min, max, args, golden.input("global_scale")); });
        QCOMPARE(error, golden.error);
        if (!golden.error.empty()) return;
        GOLDEN_COMPARE(compare_bit_exact("scale", actual.scale, golden.expected_tensor("scale")));
        GOLDEN_COMPARE(compare_bit_exact("zero_point", actual.zero_point, golden.expected_tensor("zero_point")));
    }
};

QTEST_APPLESS_MAIN(GoldenQParams)
#include "golden_qparams.moc"
