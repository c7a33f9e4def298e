#pragma once

#include <optional>

#include <QtTest/QTest>

#include "core/quantization/quantization_scheme.h"

namespace calibench::testing {

/// The reference hides zp_dtype of symmetric arguments when it serialises them; the normalised form of the file shows it.
inline nlohmann::json normalised(const std::optional<QuantizationArgs>& args) {
    if (!args) return nullptr;
    nlohmann::json object = to_json(*args);
    object["zp_dtype"] = args->zp_dtype ? nlohmann::json(to_string(*args->zp_dtype)) : nlohmann::json();
    return object;
}

inline nlohmann::json normalised(const QuantizationScheme& scheme) {
    nlohmann::json object = to_json(scheme);
    object["weights"] = normalised(scheme.weights);
    object["input_activations"] = normalised(scheme.input_activations);
    object["output_activations"] = normalised(scheme.output_activations);
    return object;
}

}  // namespace calibench::testing

#define COMPARE_JSON(actual, expected)                                                                          \
    do {                                                                                                        \
        const nlohmann::json actual_json = (actual);                                                                      \
        const nlohmann::json expected_json = (expected);                                                                  \
        QVERIFY2(actual_json == expected_json,                                                                  \
                 ("expected " + expected_json.dump() + "\n     got " + actual_json.dump()).c_str());            \
    } while (false)
