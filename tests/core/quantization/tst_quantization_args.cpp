#include <QtTest/QTest>

#include "core/base/error.h"
#include "core/quantization/quantization_scheme.h"

using namespace calibench;
using nlohmann::json;

namespace {

/// The sentence an InputError carries; any other exception, or none, fails the test that looks for words in it.
template <typename Body>
QString refusal(const Body& body) {
    try {
        body();
    } catch (const InputError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

class QuantizationArgsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void hostile_args_are_refused_data() {
        QTest::addColumn<QString>("object");
        QTest::addColumn<QString>("words");
        QTest::newRow("no object") << "[1, 2]" << "must be a mapping";
        QTest::newRow("null") << "null" << "must be a mapping";
        QTest::newRow("zero bits") << R"({"num_bits": 0})" << "num_bits: 0 is out of range";
        QTest::newRow("negative bits") << R"({"num_bits": -4})" << "num_bits: -4 is out of range";
        QTest::newRow("enormous bits") << R"({"num_bits": 1e300})" << "num_bits: Input should be a valid integer";
        QTest::newRow("bits in words") << R"({"num_bits": "four"})" << "num_bits: Input should be a valid integer";
        QTest::newRow("bits null") << R"({"num_bits": null})" << "num_bits: Input should be a valid integer";
        QTest::newRow("half a bit") << R"({"num_bits": 4.5})" << "num_bits: Input should be a valid integer";
        QTest::newRow("group in words") << R"({"group_size": "many"})" << "group_size: Input should be a valid integer";
        QTest::newRow("type is a number") << R"({"type": 7})" << "'7' is not a valid QuantizationType";
        QTest::newRow("symmetric is a list") << R"({"symmetric": []})" << "symmetric: Input should be a valid boolean";
        QTest::newRow("dynamic is a word") << R"({"dynamic": "sometimes"})" << "is not a valid DynamicType";
        QTest::newRow("empty block") << R"({"strategy": "block", "block_structure": []})" << "Invalid block_structure";
        QTest::newRow("zero block") << R"({"strategy": "block", "block_structure": [0, 8]})" << "Invalid block_structure";
        QTest::newRow("huge block") << R"({"strategy": "block", "block_structure": "99999999999999999999x8"})" << "Invalid block_structure";
        QTest::newRow("block is an object") << R"({"strategy": "block", "block_structure": {}})" << "Invalid block_structure";
        QTest::newRow("unknown dtype") << R"({"scale_dtype": "torch.float3"})" << "No such torch dtype `torch.float3`";
        QTest::newRow("dtype is a number") << R"({"scale_dtype": 3})" << "scale_dtype: Input should be a valid string";
        QTest::newRow("kwargs is a list") << R"({"observer_kwargs": [1]})" << "observer_kwargs: Input should be a valid dictionary";
        QTest::newRow("observer is a list") << R"({"observer": ["mse"]})" << "observer: Input should be a valid string";
        QTest::newRow("misspelt field") << R"({"group_sise": 32})" << "did you mean group_size?";
        QTest::newRow("fp16 bits") << R"({"type": "float", "num_bits": 16})" << "Only num_bits in (8) are supported";
    }

    void hostile_args_are_refused() {
        QFETCH(QString, object);
        QFETCH(QString, words);
        const QString text = refusal([&] { (void)quantization_args_from_json(json::parse(object.toStdString())); });
        QVERIFY2(text.contains(words), qPrintable(text));
    }

    void hostile_schemes_are_refused_data() {
        QTest::addColumn<QString>("object");
        QTest::addColumn<QString>("words");
        QTest::newRow("no targets") << R"({"weights": {}})" << "targets: Field required";
        QTest::newRow("targets is a word") << R"({"targets": "Linear"})" << "targets: Input should be a list of strings";
        QTest::newRow("unknown field") << R"({"targets": [], "wieghts": {}})" << "wieghts: Extra inputs are not permitted";
        QTest::newRow("bad weights") << R"({"targets": [], "weights": {"num_bits": 99}})" << "weights.num_bits: 99";
        QTest::newRow("channel input") << R"({"targets": [], "input_activations": {"strategy": "channel"}})"
                                       << "Using channel strategy is not supported for activation quantization";
        QTest::newRow("ordered input") << R"({"targets": [], "input_activations": {"actorder": "weight"}})"
                                       << "Cannot apply actorder to input activations";
        QTest::newRow("mixed format") << R"({"targets": [], "format": "mixed-precision"})" << "mixed-precision cannot be set";
        QTest::newRow("unknown format") << R"({"targets": [], "format": "zip"})" << "'zip' is no compression format";
    }

    void hostile_schemes_are_refused() {
        QFETCH(QString, object);
        QFETCH(QString, words);
        const QString text = refusal([&] { (void)quantization_scheme_from_json(json::parse(object.toStdString())); });
        QVERIFY2(text.contains(words), qPrintable(text));
    }

    void json_returns_what_was_written() {
        for (const std::string& name : preset_scheme_names()) {
            const QuantizationScheme scheme = preset_scheme(name, {"re:.*proj$"});
            QuantizationScheme read = quantization_scheme_from_json(to_json(scheme));
            // symmetric zero points have a dtype, but the reference does not write it
            for (auto [from, to] : {std::pair(&scheme.weights, &read.weights), std::pair(&scheme.input_activations, &read.input_activations)})
                if (*from && (*from)->symmetric) (*to)->zp_dtype = (*from)->zp_dtype;
            QVERIFY2(read == scheme, name.c_str());
        }
    }

    void quantization_config_is_read() {
        const QuantizationConfig config = quantization_config_from_json(json::parse(R"({
            "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"], "kv_cache_scheme": {"num_bits": 8, "type": "float"},
            "config_groups": {"W8A8": ["re:.*down_proj$"],
                              "group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32, "actorder": "group"}}}})"));
        QCOMPARE(config.config_groups.size(), size_t(2));
        QCOMPARE(config.config_groups[0].second.weights->num_bits, 8);
        QVERIFY(config.config_groups[1].second.weights->actorder == ActOrder::Group);  // an older checkpoint, not a recipe
        QCOMPARE(config.ignore, std::vector<std::string>{"lm_head"});
        QVERIFY(config.kv_cache_scheme && config.kv_cache_scheme->type == QuantizationType::Float);
        QVERIFY(config.format == CompressionFormat::PackQuantized);
        const QString text = refusal([] { (void)quantization_config_from_json({{"quant_method", "gptq"}}); });
        QVERIFY2(text.contains("gptq"), qPrintable(text));
    }

    void presets_of_auto_round_are_explained() {
        const QString group = refusal([] { (void)preset_scheme("w2a16g64", {"Linear"}); });
        QVERIFY2(group.contains("preset of auto-round") && group.contains("num_bits: 2") && group.contains("group_size: 64"), qPrintable(group));
        const QString block = refusal([] { (void)preset_scheme("GGUF:Q4_K_M", {"Linear"}); });
        QVERIFY2(block.contains("cannot store its data type int_asym_dq"), qPrintable(block));
    }

    void descriptions_are_short() {
        QCOMPARE(describe(preset_scheme("W4A16", {})), std::string("W4A16 g128 sym"));
        QCOMPARE(describe(preset_scheme("W8A8", {})), std::string("W8A8 channel sym"));
        QCOMPARE(describe(preset_scheme("nvfp4", {})), std::string("NVFP4"));
        QCOMPARE(describe(preset_scheme("UNQUANTIZED", {})), std::string("unquantized"));
        QCOMPARE(describe(*preset_scheme("FP8_DYNAMIC", {}).input_activations), std::string("fp8 token sym dynamic"));
    }
};

QTEST_APPLESS_MAIN(QuantizationArgsTest)
#include "tst_quantization_args.moc"
