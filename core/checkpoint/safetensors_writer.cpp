#include <algorithm>

#include <ATen/ATen.h>

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/checkpoint/output_file.h"
#include "core/checkpoint/safetensors_header.h"

namespace calibench {

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
    std::map<std::string, at::Tensor> by_name;
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, tensor] : tensors) {
        entries.push_back(describe_tensor(name, tensor));
        by_name[name] = tensor;
    }
    if (by_name.size() != entries.size()) throw RunError(concat(path.string(), ": two tensors have the same name."));
    sort_for_safetensors(entries);

    std::filesystem::path partial = path;
    partial += concat(".partial-", ::getpid());
    std::error_code error;
    try {
        OutputFile file(partial);
        const std::string header = safetensors_header(entries, metadata);
        file.write(header.data(), header.size());
        for (const auto& entry : entries) {
            const at::Tensor data = by_name[entry.name].cpu().contiguous();
            file.write(data.const_data_ptr(), data.nbytes());
        }
        file.close();
    } catch (...) {
        std::filesystem::remove(partial, error);
        throw;
    }
    std::filesystem::rename(partial, path, error);
    if (error) {
        const std::string reason = error.message();
        std::filesystem::remove(partial, error);
        throw RunError(concat(path.string(), " cannot be written: ", reason, "."));
    }
}

}  // namespace calibench
