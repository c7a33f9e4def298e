#pragma once

#include <filesystem>

namespace calibench {

// Plain names for tests/core/analysis/planted_faults.h, whose LibTorch the window does not know.

void plantLargeScale(const std::filesystem::path& exported);
void plantConstantProjection(const std::filesystem::path& exported);  ///< block 1's o_proj, of 4 bits
void plantLoudNeuron(const std::filesystem::path& model);

}  // namespace calibench
