#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/checkpoint/checkpoint_writer.h"
#include "core/models/safetensors.h"

namespace calibench::testing {

inline at::Tensor stored_tensor(const std::filesystem::path& model_dir, const std::string& name) {
    return SafetensorsFile(model_dir / "model.safetensors").tensor(name);
}

/// Puts something else in the place of some of a model's tensors. An undefined one is left out.
inline void edit_tensors(const std::filesystem::path& model_dir, const std::function<at::Tensor(const std::string& name, const at::Tensor&)>& edit) {
    std::vector<NamedTensor> tensors;
    {
        const SafetensorsFile file(model_dir / "model.safetensors");
        for (const auto& [name, entry] : file.entries())
            if (at::Tensor edited = edit(name, file.tensor(name)); edited.defined()) tensors.push_back({name, edited.clone()});
    }
    write_safetensors(model_dir / "model.safetensors", tensors);
}

inline void replace_tensor(const std::filesystem::path& model_dir, const std::string& name, const at::Tensor& by) {
    edit_tensors(model_dir, [&](const std::string& each, const at::Tensor& tensor) { return each == name ? by.contiguous() : tensor; });
}

}  // namespace calibench::testing
