#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <QString>

#include "core/analysis/input_inspection.h"
#include "core/analysis/weight_inspection.h"
#include "core/quantization/quantization_scheme.h"

namespace calibench {

class RunController;
class Session;

/// Which module is to be looked at, and where what is known of it lies. Compared to see whether it is still the same.
struct Specimen {
    std::filesystem::path model;
    std::string module;
    std::optional<QuantizationScheme> scheme;  ///< by the recipe; unset: it stays as it is
    std::filesystem::path checkpoint, blocks;  ///< what a run left of it: in an export, or in the directory of a run at work
    std::filesystem::path run;                 ///< looked at its inputs, if one did

    bool operator==(const Specimen&) const = default;

    [[nodiscard]] bool wasQuantized() const { return !checkpoint.empty() || !blocks.empty(); }
    /// To nearest. `inputs` are those that a run saw, if one did: some observers weigh by them.
    [[nodiscard]] WeightRequest rounded(const QuantizationArgs& weights, const InputInspection* inputs) const;
    [[nodiscard]] WeightRequest asTheRunLeftIt() const;
};

/// As things stand: before a run, during it (modules of finished blocks), after it.
[[nodiscard]] Specimen specimenOf(const QString& module, const Session& session, const RunController& controller);
/// Of all modules that the recipe quantizes, in model order.
[[nodiscard]] std::vector<Specimen> allSpecimens(const Session& session, const RunController& controller);

}  // namespace calibench
