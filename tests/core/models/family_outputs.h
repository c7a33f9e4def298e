#pragma once

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <QString>

#include "core/base/error.h"
#include "core/models/causal_lm.h"

/// What a whole model computes.
struct FamilyOutputs {
    std::vector<at::Tensor> hidden;  ///< behind each block
    at::Tensor logits;
};

inline FamilyOutputs run_model(calibench::CausalLm& model, const at::Tensor& input_ids, const calibench::SequenceContext& context) {
    FamilyOutputs outputs;
    at::Tensor hidden = model.embed(input_ids);
    for (int64_t i = 0; i < model.config().num_hidden_layers; ++i) {
        hidden = model.load_block(i)->forward(hidden, context);
        outputs.hidden.push_back(hidden);
    }
    outputs.logits = model.logits(hidden);
    return outputs;
}

/// Largest difference where the mask is set.
inline double largest_difference(const at::Tensor& actual, const at::Tensor& expected, const at::Tensor& mask) {
    return (actual.to(at::kFloat) - expected).abs().index({mask.to(at::kBool)}).max().item<double>();
}

/// Mean difference where the mask is set, relative to the spread of what is expected.
inline double relative_difference(const at::Tensor& actual, const at::Tensor& expected, const at::Tensor& mask) {
    const at::Tensor chosen = mask.to(at::kBool);
    const at::Tensor reference = expected.index({chosen});
    return ((actual.to(at::kFloat).index({chosen}) - reference).abs().mean() / reference.std()).item<double>();
}

using Difference = double (*)(const at::Tensor& actual, const at::Tensor& expected, const at::Tensor& mask);

/// Compares a directory's model with its expected.safetensors at unpadded positions. Returns what differs by more than `bound`, or
/// why the directory could not be opened.
inline QString compare_with_expected(const std::string& directory, Difference difference, double bound) try {
    const at::NoGradGuard no_grad;
    const calibench::SafetensorsFile expected(directory + "/expected.safetensors");
    const at::Tensor mask = expected.tensor("attention_mask");
    const auto model = calibench::CausalLm::open(directory);
    const FamilyOutputs outputs = run_model(*model, expected.tensor("input_ids"), {.attention_mask = mask});
    const auto compare = [&](const QString& name, const at::Tensor& actual) {
        const double off = difference(actual, expected.tensor(name.toStdString()), mask);
        return off <= bound ? QString() : QStringLiteral("%1 differs by %2. ").arg(name).arg(off);
    };
    QString report;
    for (size_t i = 0; i < outputs.hidden.size(); ++i) report += compare(QStringLiteral("hidden_%1").arg(i), outputs.hidden[i]);
    return report + compare("logits", outputs.logits);
} catch (const calibench::InputError& error) {
    return QString::fromUtf8(error.what());
}
