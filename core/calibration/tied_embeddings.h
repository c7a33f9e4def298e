#pragma once

#include "core/quantization/quantization_scheme.h"

namespace calibench {

/// Whether head and embedding can go on sharing one stored weight, given their schemes (null: left as it is). As in llm-compressor,
/// which unties them before calibration and ties them again when both came out the same.
[[nodiscard]] bool embeddings_stay_tied(const QuantizationScheme* embedding, const QuantizationScheme* head);

}  // namespace calibench
