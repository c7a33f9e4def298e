#include "core/observers/flatten.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

/// flatten_for_calibration against llm-compressor's, every strategy with every base name, bit exact.
class GoldenFlatten : public QObject {
    Q_OBJECT

    const GoldenSet golden_{"flatten"};

private Q_SLOTS:
    void flatten_data() { golden_.add_rows(); }

    void flatten() {
        const GoldenCase& golden = golden_.current();
        const QuantizationArgs args = quantization_args_from_json(golden.args.at("qargs"), ArgsSource::Checkpoint);
        const auto base_name = golden.args.at("base_name").get<std::string>();

        at::Tensor out;
        const std::string error = thrown_text(
            [&] { out = flatten_for_calibration(golden.input("value"), base_name, args, golden.input("g_idx")); });
        QCOMPARE(error, golden.error);
        GOLDEN_COMPARE(compare_bit_exact("out", out, golden.expected_tensor("out")));
    }
};

QTEST_APPLESS_MAIN(GoldenFlatten)
#include "golden_flatten.moc"
