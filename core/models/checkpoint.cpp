#include "core/models/checkpoint.h"

#include <fstream>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

using nlohmann::json;
namespace fs = std::filesystem;

Checkpoint::Checkpoint(const fs::path& model_dir) : model_dir_(model_dir) {
    const fs::path single = model_dir / "model.safetensors";
    const fs::path index = model_dir / "model.safetensors.index.json";
    std::error_code ignored;
    if (fs::exists(single, ignored)) {
        shards_.emplace_back(single);
        for (const auto& [name, entry] : shards_.front().entries()) shard_of_.emplace(name, 0);
    } else if (fs::exists(index, ignored)) {
        open_indexed_shards(index);
    } else if (!fs::is_directory(model_dir, ignored)) {
        throw InputError(concat(model_dir.string(), " is not a directory."));
    } else if (fs::exists(model_dir / "pytorch_model.bin", ignored) || fs::exists(model_dir / "pytorch_model.bin.index.json", ignored)) {
        throw InputError(concat(model_dir.string(), " holds pytorch_model.bin weights only; convert them to safetensors first."));
    } else {
        throw InputError(concat(model_dir.string(), " has neither model.safetensors nor model.safetensors.index.json."));
    }
}

void Checkpoint::open_indexed_shards(const fs::path& index) {
    json parsed;
    try {
        std::ifstream in(index, std::ios::binary);
        parsed = json::parse(in);
    } catch (const json::exception&) {
        throw InputError(concat(index.string(), ": not valid JSON."));
    }
    if (!parsed.is_object() || !parsed.contains("weight_map") || !parsed["weight_map"].is_object())
        throw InputError(concat(index.string(), ": weight_map is missing."));

    std::map<std::string, std::vector<std::string>> tensors_of;
    for (const auto& [tensor, shard] : parsed["weight_map"].items()) {
        const std::string file = shard.is_string() ? shard.get<std::string>() : "";
        if (file.empty() || file == "." || file == ".." || file.find_first_of(std::string("/\\\0", 3)) != std::string::npos)
            throw InputError(concat(index.string(), ": the shard of ", quoted_name(tensor),
                                    " must be the name of a file in the same directory, not ", quoted_name(file), "."));
        tensors_of[file].push_back(tensor);
    }

    std::vector<std::string> missing;
    for (const auto& [file, tensors] : tensors_of) {
        std::error_code ignored;
        if (!fs::exists(model_dir_ / file, ignored)) missing.push_back(file);
    }
    if (!missing.empty())
        throw InputError(concat(index.string(), " names ", missing.size(), missing.size() == 1 ? " shard that is" : " shards that are",
                                " not there: ", list_names(missing, missing.size()), "."));

    for (const auto& [file, tensors] : tensors_of) {
        shards_.emplace_back(model_dir_ / file);
        std::vector<std::string> absent;
        for (const std::string& tensor : tensors) {
            if (shards_.back().contains(tensor)) shard_of_.emplace(tensor, shards_.size() - 1);
            else absent.push_back(tensor);
        }
        if (!absent.empty())
            throw InputError(concat(index.string(), " places ", list_names(absent), " in ", file, ", which does not hold ",
                                    absent.size() == 1 ? "it." : "them."));
    }
}

const SafetensorsFile& Checkpoint::shard_of(const std::string& name) const {
    const auto found = shard_of_.find(name);
    if (found == shard_of_.end()) throw InputError(concat(model_dir_.string(), " has no tensor ", quoted_name(name), "."));
    return shards_[found->second];
}

const SafetensorsFile::Entry& Checkpoint::entry(const std::string& name) const { return shard_of(name).entries().at(name); }
at::Tensor Checkpoint::tensor(const std::string& name) const { return shard_of(name).tensor(name); }
void Checkpoint::release(const std::string& name) const { shard_of(name).release(name); }

std::vector<std::string> Checkpoint::names() const {
    std::vector<std::string> names;
    names.reserve(shard_of_.size());
    for (const auto& [name, shard] : shard_of_) names.push_back(name);
    return names;
}

std::vector<std::string> Checkpoint::names_under(const std::string& module) const {
    const std::string prefix = module + ".";
    std::vector<std::string> names;
    for (auto at = shard_of_.lower_bound(prefix); at != shard_of_.end() && at->first.starts_with(prefix); ++at) names.push_back(at->first);
    return names;
}

}  // namespace calibench
