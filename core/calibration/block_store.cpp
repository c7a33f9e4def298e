#include "core/calibration/block_store.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/models/safetensors.h"

namespace calibench {
namespace fs = std::filesystem;
using nlohmann::json;

// Keys of the file's metadata.
static constexpr const char* order_key = "order";
static constexpr const char* modules_key = "modules";

BlockStore::BlockStore(const fs::path& run_dir) : directory_(run_dir / "blocks") {}

fs::path BlockStore::file_of(const std::string& name) const {
    return directory_ / (name + ".safetensors");
}

bool BlockStore::contains(const std::string& name) const {
    std::error_code error;
    return fs::exists(file_of(name), error);
}

void BlockStore::keep(const std::string& name, const FinishedBlock& finished) const {
    json order = json::array(), modules = json::object();
    for (const auto& [tensor_name, tensor] : finished.tensors) order.push_back(tensor_name);
    for (const auto& [module, plan] : finished.modules) modules[module] = {{"scheme", to_json(plan.scheme)}, {"expert", plan.expert}};
    std::error_code error;
    fs::create_directories(directory_, error);
    if (error) throw RunError(concat(directory_.string(), " cannot be written: ", error.message(), "."));
    write_safetensors(file_of(name), finished.tensors, {{"format", "pt"}, {order_key, order.dump()}, {modules_key, modules.dump()}});
}

FinishedBlock BlockStore::read(const std::string& name) const {
    const SafetensorsFile file(file_of(name));
    const auto metadata = [&](const char* key) {
        const auto found = file.metadata().find(key);
        return found == file.metadata().end() ? json() : json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    };
    const auto damaged = [&] { return InputError(concat(file.path().string(), " is damaged. Remove it, and the run goes on before it.")); };
    const json order = metadata(order_key), modules = metadata(modules_key);
    FinishedBlock finished;
    try {
        for (const json& tensor : order) finished.tensors.push_back({tensor.get<std::string>(), file.tensor(tensor.get<std::string>())});
        for (const auto& [module, plan] : modules.items()) {
            QuantizationScheme scheme = quantization_scheme_from_json(plan.at("scheme"), ArgsSource::Checkpoint);
            const CompressionFormat format = infer_format(scheme);
            finished.modules.emplace(module, ModulePlan{std::move(scheme), format, {}, plan.at("expert").get<int64_t>()});
        }
    } catch (const json::exception&) {
        throw damaged();
    }
    if (finished.tensors.size() != file.entries().size()) throw damaged();
    return finished;
}

void BlockStore::remove_unfinished() const noexcept {
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (entry->path().extension() != ".safetensors") fs::remove(entry->path(), ignored);
    }
}

void BlockStore::remove_all() const noexcept {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

}  // namespace calibench
