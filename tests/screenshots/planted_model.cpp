#include "tests/screenshots/planted_model.h"

#include "tests/core/analysis/planted_faults.h"

namespace calibench {

void plantLargeScale(const std::filesystem::path& exported) { testing::plant_large_scale(exported); }

void plantConstantProjection(const std::filesystem::path& exported) {
    constexpr int all_zero = static_cast<int>(0x88888888);
    testing::plant_constant_tensor(exported, "model.layers.1.self_attn.o_proj.weight_packed", all_zero);
}

void plantLoudNeuron(const std::filesystem::path& model) { testing::plant_loud_neuron(model); }

}  // namespace calibench
