#include <type_traits>

#include "core/base/error.h"
#include "core/quantization/fake_quantize.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

// Case dequantize_no_args: what the reference refuses when it runs does not compile here.
static_assert(!std::is_invocable_v<decltype(&dequantize), at::Tensor, QParams>);

/// Group fake_quantize: quantize, dequantize, fake_quantize, dynamic scales and the rounding tables, bit exact.
class GoldenFakeQuantize : public QObject {
    Q_OBJECT

    const GoldenSet set_{"fake_quantize"};

    static void check_rounding_table(const GoldenCase& golden) {
        const at::Tensor x = golden.input("x");
        if (golden.starts_with("cast_to_fp4")) {
            GOLDEN_COMPARE(compare_bit_exact("out", cast_to_fp4(x), golden.expected_tensor("out"), SignedZeros::Distinct));
            return;
        }
        QVERIFY(golden.starts_with("cast_to_fp8"));
        const QuantizationArgs fp8 = quantization_args_from_json({{"num_bits", 8}, {"type", "float"}});
        const QParams unit{at::ones({1}, x.options()), {}, {}};
        GOLDEN_COMPARE(compare_bit_exact("out", quantize(x, unit, fp8, at::kFloat8_e4m3fn), golden.expected_tensor("out")));
    }

    static void check_refusal(const GoldenCase& golden, const QuantizationArgs& args) {
        const at::Tensor x = golden.input("x");
        if (golden.starts_with("dyn_")) {
            const std::string error = thrown_text([&] { (void)compute_dynamic_qparams(x, args, golden.input("global_scale")); });
            QCOMPARE(error, golden.error);
            return;
        }
        // The reference already fails in flattening, with torch's text; quantize must refuse the shape as well and name it.
        QVERIFY(golden.error.find("unflatten") == 0);
        const std::string error = thrown_text([&] { (void)quantize(x, {at::ones({1}), {}, {}}, args); });
        QVERIFY2(error.find(std::to_string(*args.group_size)) != std::string::npos &&
                     error.find(std::to_string(x.size(-1))) != std::string::npos,
                 error.c_str());
    }

private Q_SLOTS:
    void matches_the_reference_data() { set_.add_rows(); }

    void matches_the_reference() {
        const GoldenCase& golden = set_.current();
        if (golden.name == "dequantize_no_args") return;  // see the static_assert
        if (!golden.args.contains("qargs")) return check_rounding_table(golden);
        const QuantizationArgs args = quantization_args_from_json(golden.args.at("qargs"));
        if (!golden.error.empty()) return check_refusal(golden, args);

        const at::Tensor x = golden.input("x");
        QParams qparams{golden.input("scale"), golden.input("zero_point"), golden.input("global_scale")};
        if (golden.starts_with("dyn_")) {
            const ScaleAndZeroPoint actual = compute_dynamic_qparams(x, args, qparams.global_scale);
            GOLDEN_COMPARE(compare_bit_exact("scale", actual.scale, golden.expected_tensor("scale")));
            GOLDEN_COMPARE(compare_bit_exact("zero_point", actual.zero_point, golden.expected_tensor("zero_point")));
            qparams = {actual.scale, actual.zero_point, qparams.global_scale};
        }
        if (golden.args.at("zero_point_none").get<bool>()) qparams.zero_point.reset();
        std::optional<at::ScalarType> dtype;
        if (golden.args.at("dtype").is_string()) dtype = to_scalar_type(dtype_from_string(golden.args.at("dtype").get<std::string>()));

        const SignedZeros zeros = args.type == QuantizationType::Float && args.num_bits == 4 ? SignedZeros::Distinct : SignedZeros::Equal;
        const at::Tensor q = quantize(x, qparams, args, dtype);
        GOLDEN_COMPARE(compare_bit_exact("q", q, golden.expected_tensor("q"), zeros));
        if (golden.expects("dq")) GOLDEN_COMPARE(compare_bit_exact("dq", dequantize(q, qparams, args), golden.expected_tensor("dq"), zeros));
        if (golden.expects("fq")) GOLDEN_COMPARE(compare_bit_exact("fq", fake_quantize(x, qparams, args), golden.expected_tensor("fq"), zeros));
    }
};

QTEST_APPLESS_MAIN(GoldenFakeQuantize)
#include "golden_fake_quantize.moc"
