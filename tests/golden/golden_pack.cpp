#include "core/base/error.h"
#include "core/checkpoint/compressor.h"
#include "core/quantization/packing.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

/// Group pack: integer and fp4 packing, and whole compressed state dicts, bit exact with names, dtypes, shapes and order.
class GoldenPack : public QObject {
    Q_OBJECT

    const GoldenSet set_{"pack"};

    static QParams qparams_before(const GoldenCase& golden, const std::string& base_name) {
        const auto tensor = [&](const char* suffix) { return golden.expected_tensor("pre." + base_name + suffix); };
        return {tensor("_scale"), tensor("_zero_point"), tensor("_global_scale")};
    }

private Q_SLOTS:
    void integers_match_data() { set_.add_rows({"pack1_", "pack2_", "pack3_", "pack4_", "pack5_", "pack6_", "pack7_", "pack8_"}); }

    void integers_match() {
        const GoldenCase& golden = set_.current();
        const at::Tensor value = golden.input("value");
        const int num_bits = golden.args.at("num_bits").get<int>();
        const int packed_dim = golden.args.at("packed_dim").get<int>();
        const at::Tensor packed = pack_to_int32(value, num_bits, packed_dim);
        GOLDEN_COMPARE(compare_bit_exact("packed", packed, golden.expected_tensor("packed")));
        GOLDEN_COMPARE(compare_bit_exact("unpacked", unpack_from_int32(packed, num_bits, value.sizes(), packed_dim), value));
    }

    void fp4_matches_data() { set_.add_rows({"pack_fp4_", "unpack_fp4_"}); }

    void fp4_matches() {
        const GoldenCase& golden = set_.current();
        at::Tensor packed = golden.input("packed");
        if (golden.expects("packed")) {
            packed = pack_fp4_to_uint8(golden.input("value"));
            GOLDEN_COMPARE(compare_bit_exact("packed", packed, golden.expected_tensor("packed")));
        }
        const at::Tensor unpacked = unpack_fp4_from_uint8(packed, packed.size(0), packed.size(1) * 2, at::kBFloat16);
        GOLDEN_COMPARE(compare_bit_exact("unpacked", unpacked, golden.expected_tensor("unpacked"), SignedZeros::Distinct));
    }

    void misuse_is_refused_data() { set_.add_rows({"pack_err_"}); }

    void misuse_is_refused() {
        const GoldenCase& golden = set_.current();
        const std::map<std::string, std::function<void()>> misuses = {
            {"int32_in", [] { (void)pack_to_int32(at::zeros({2, 2}, at::kInt), 4); }},
            {"bits9", [] { (void)pack_to_int32(at::zeros({2, 2}, at::kChar), 9); }},
            {"bits0", [] { (void)pack_to_int32(at::zeros({2, 2}, at::kChar), 0); }},
            {"unpack_int64", [] { (void)unpack_from_int32(at::zeros({2, 2}, at::kLong), 4, {2, 2}); }},
            {"fp4_odd", [] { (void)pack_fp4_to_uint8(at::zeros({2, 3})); }},
        };
        QCOMPARE(thrown_text(misuses.at(golden.args.at("fn").get<std::string>())), golden.error);
    }

    void state_dicts_match_data() { set_.add_rows({"state_"}); }

    void state_dicts_match() {
        const GoldenCase& golden = set_.current();
        const QuantizationScheme scheme = quantization_scheme_from_json(golden.args.at("scheme"));
        const CompressionFormat format = infer_format(scheme);
        QCOMPARE(to_string(format), golden.args.at("format").get<std::string>());
        const ModuleQParams qparams{qparams_before(golden, "weight"), qparams_before(golden, "input"), qparams_before(golden, "output")};
        const auto tensors = compress_linear(golden.input("weight"), golden.input("bias"), qparams, scheme, format);

        std::map<std::string, at::Tensor> stored;
        std::vector<std::string> names;
        for (const NamedTensor& entry : tensors) {
            names.push_back("sd." + entry.name);
            GOLDEN_COMPARE(compare_bit_exact(entry.name, entry.tensor, golden.expected_tensor("sd." + entry.name), SignedZeros::Distinct));
            stored[entry.name] = entry.tensor;
        }
        std::vector<std::string> expected_names = golden.expected_names;
        std::erase_if(expected_names, [](const std::string& name) { return name.rfind("sd.", 0) != 0; });
        QCOMPARE(names, expected_names);

        const at::Tensor expected = golden.expected_tensor("decompressed.weight");
        const auto lookup = [&](const std::string& name) { return stored.count(name) ? stored.at(name) : at::Tensor(); };
        GOLDEN_COMPARE(compare_bit_exact("decompressed weight", decompress_linear(lookup, scheme, format, expected.scalar_type()), expected));
    }

    void chosen_integers_are_stored_as_they_are_data() { set_.add_rows({"state_"}); }

    void chosen_integers_are_stored_as_they_are() {
        const GoldenCase& golden = set_.current();
        const QuantizationScheme scheme = quantization_scheme_from_json(golden.args.at("scheme"));
        const CompressionFormat format = infer_format(scheme);
        const ModuleQParams qparams{qparams_before(golden, "weight"), qparams_before(golden, "input"), qparams_before(golden, "output")};
        if (scheme.weights->type != QuantizationType::Int) {
            const at::Tensor integers = at::zeros_like(golden.input("weight"), at::kChar);
            QVERIFY_EXCEPTION_THROWN((void)compress_quantized_linear(integers, {}, qparams, scheme, format), InputError);
            return;
        }
        at::Tensor levels = golden.expected_tensor("sd.weight");
        if (format == CompressionFormat::PackQuantized)
            levels = unpack_from_int32(golden.expected_tensor("sd.weight_packed"), scheme.weights->num_bits, golden.input("weight").sizes());
        for (const NamedTensor& entry : compress_quantized_linear(levels, golden.input("bias"), qparams, scheme, format))
            GOLDEN_COMPARE(compare_bit_exact(entry.name, entry.tensor, golden.expected_tensor("sd." + entry.name)));
    }
};

QTEST_APPLESS_MAIN(GoldenPack)
#include "golden_pack.moc"
