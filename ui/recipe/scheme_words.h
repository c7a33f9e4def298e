#pragma once

#include <QString>

#include "core/quantization/quantization_scheme.h"

namespace calibench {

class Session;

/// "Weights: 4-bit integers in groups of 128. Activations stay as they are.": what a preset's name means.
[[nodiscard]] QString schemeWords(const QuantizationScheme& scheme);

/// What the recipe does to the open model, before any run.
struct RecipeEffect {
    QString sentence;  ///< "Quantizes 210 modules in 2 groups: W4 g64 sym (180), W8 channel sym (30); 30 left alone"
    QString details;   ///< the first modules of each, a line each
};
/// Empty without a model or a recipe that can be read.
[[nodiscard]] RecipeEffect recipeEffect(const Session& session);

}  // namespace calibench
