#include "core/quantization/auto_round_presets.h"
#include "core/quantization/quantization_scheme.h"
#include "tests/golden/golden_set.h"
#include "tests/golden/normalised_scheme.h"

using namespace calibench;
using namespace calibench::testing;
using nlohmann::json;

namespace {

/// auto-round's dataclass as the file spells it.
json to_json(const AutoRoundPreset& preset) {
    const auto optional_json = [](const auto& field) { return field ? json(*field) : json(); };
    return {
        {"bits", preset.bits},
        {"group_size", preset.group_size.size() == 1 ? json(preset.group_size[0]) : json(preset.group_size)},
        {"sym", preset.sym},
        {"data_type", preset.data_type},
        {"act_bits", preset.act_bits},
        {"act_group_size", optional_json(preset.act_group_size)},
        {"act_sym", optional_json(preset.act_sym)},
        {"act_data_type", optional_json(preset.act_data_type)},
        {"act_dynamic", optional_json(preset.act_dynamic)},
        {"super_bits", optional_json(preset.super_bits)},
        {"super_group_size", optional_json(preset.super_group_size)},
        {"rotation_config", nullptr},
    };
}

/// The reference's sentence, without the dump of a Python object or list that follows some of them.
std::string sentence(const std::string& error) {
    const std::string line = error.substr(0, error.find('\n'));
    const size_t start = line.find_first_not_of("\"(");
    return line.substr(start, line.find(", available names") - start);
}

}  // namespace

/// Group schemes, cases preset_*, ar_preset_* and qargs_*: presets, defaults and refusals of quantization arguments.
class GoldenSchemes : public QObject {
    Q_OBJECT

    const GoldenSet set_{"schemes"};

private Q_SLOTS:
    void presets_match_data() { set_.add_rows({"preset_"}); }

    void presets_match() {
        const GoldenCase& golden = set_.current();
        const std::string name = golden.args.at("preset").get<std::string>();
        QuantizationScheme scheme;
        const std::string error = thrown_text([&] { scheme = preset_scheme(name, {"Linear"}); });
        if (!golden.error.empty()) {
            QVERIFY2(error.find(sentence(golden.error)) != std::string::npos, error.c_str());
            for (const std::string& preset : preset_scheme_names())
                QVERIFY2(error.find(preset) != std::string::npos, ("the message does not offer " + preset).c_str());
            return;
        }
        QVERIFY2(error.empty(), error.c_str());
        COMPARE_JSON(normalised(scheme), golden.expected.at("scheme"));
        if (golden.expects("scheme_json")) {
            COMPARE_JSON(to_json(scheme), golden.expected.at("scheme_json"));
            QVERIFY(quantization_scheme_from_json(golden.expected.at("scheme")) == scheme);
        }
        if (golden.expects("inferred_format")) QCOMPARE(to_string(infer_format(scheme)), golden.expected.at("inferred_format").get<std::string>());
    }

    void auto_round_presets_match_data() { set_.add_rows({"ar_preset_"}); }

    void auto_round_presets_match() {
        const GoldenCase& golden = set_.current();
        const AutoRoundPreset* preset = find_auto_round_preset(golden.args.at("preset").get<std::string>());
        QVERIFY2(preset, "no such preset");
        COMPARE_JSON(to_json(*preset), golden.expected.at("scheme"));
    }

    void args_match_data() { set_.add_rows({"qargs_"}); }

    void args_match() {
        const GoldenCase& golden = set_.current();
        QuantizationArgs args;
        const std::string error = thrown_text([&] { args = quantization_args_from_json(golden.args.at("kwargs")); });
        if (!golden.error.empty()) {
            QVERIFY2(error.find(sentence(golden.error)) != std::string::npos,
                     ("expected " + golden.error + "\n     got " + error).c_str());
            return;
        }
        QVERIFY2(error.empty(), error.c_str());
        COMPARE_JSON(normalised(args), golden.expected.at("qargs"));
    }
};

QTEST_APPLESS_MAIN(GoldenSchemes)
#include "golden_schemes.moc"
