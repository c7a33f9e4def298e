#include "ui/checkpoint_export.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <system_error>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace calibench {

namespace fs = std::filesystem;

namespace {

/// Removes a half-written copy unless it was completed.
class PartialFolder {
public:
    explicit PartialFolder(fs::path path) : m_path(std::move(path)) {
        fs::remove_all(m_path);
        fs::create_directories(m_path);
    }
    ~PartialFolder() {
        std::error_code ignored;
        if (!m_path.empty()) fs::remove_all(m_path, ignored);
    }
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;

    const fs::path& path() const { return m_path; }
    void renameTo(const fs::path& destination) {
        fs::rename(m_path, destination);
        m_path.clear();
    }

private:
    fs::path m_path;
};

/// In pieces, so that a shard of many gigabytes shows progress and can be called off.
void copyFile(const fs::path& from, const fs::path& to, const std::function<void(int64_t)>& copied) {
    std::ifstream in(from, std::ios::binary);
    std::ofstream out(to, std::ios::binary | std::ios::trunc);
    std::vector<char> buffer(size_t{4} << 20);
    while (in && out) {
        in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        out.write(buffer.data(), in.gcount());
        copied(in.gcount());
    }
    out.close();
    if (in.bad() || !in.eof() || !out) throw RunError(concat("copying ", from.string(), " to ", to.string(), " failed: is the disk full?"));
}

constexpr const char* RecipeName = "recipe.yaml";

nlohmann::json parseFile(const fs::path& file) { return nlohmann::json::parse(std::ifstream(file), nullptr, false); }

/// The keys of an object are the names of the checkpoint's tensors: its index's, or the header's of its only file. Empty when neither can be read.
nlohmann::json readTensorNames(const fs::path& folder) {
    const auto index = parseFile(folder / "model.safetensors.index.json");
    if (index.is_object() && index.contains("weight_map")) return index["weight_map"];
    std::ifstream file(folder / "model.safetensors", std::ios::binary);
    uint64_t length = 0;
    file.read(reinterpret_cast<char*>(&length), sizeof length);
    std::error_code error;
    if (!file || length > fs::file_size(folder / "model.safetensors", error) || error) return {};
    std::string header(length, ' ');
    file.read(header.data(), static_cast<std::streamsize>(length));
    return nlohmann::json::parse(header, nullptr, false);
}

bool hasQuantizedEmbedding(const fs::path& folder) {
    const auto names = readTensorNames(folder);
    if (!names.is_object()) return false;
    return std::any_of(names.items().begin(), names.items().end(), [](const auto& entry) { return entry.key().ends_with("embed_tokens.weight_scale"); });
}

bool isEightBitFloat(const nlohmann::json& args) {
    return args.is_object() && args.value("num_bits", nlohmann::json()) == 8 && args.value("type", nlohmann::json()) == "float";
}

void readConfig(const nlohmann::json& config, CheckpointFacts& facts) {
    if (!config.is_object()) return;
    for (const char* key : {"num_experts", "num_local_experts", "n_routed_experts"})
        if (const auto count = config.find(key); count != config.end() && count->is_number() && *count > 1) facts.experts = true;
    const auto quantization = config.find("quantization_config");
    if (quantization == config.end() || !quantization->is_object()) return;
    if (const auto format = quantization->find("format"); format != quantization->end() && format->is_string()) facts.format = *format;
    if (const auto cache = quantization->find("kv_cache_scheme"); cache != quantization->end()) facts.quantizedCache = isEightBitFloat(*cache);
}

void copyRecipe(const fs::path& checkpoint, const fs::path& file) {
    if (fs::exists(file)) throw InputError(concat(file.string(), " exists already: choose another name."));
    const fs::path partial = file.parent_path() / ("." + file.filename().string() + ".partial");
    std::error_code ignored;
    try {
        copyFile(checkpoint / RecipeName, partial, [](int64_t) {});
        fs::rename(partial, file);
    } catch (const fs::filesystem_error& failure) {
        fs::remove(partial, ignored);
        throw RunError(concat("writing ", file.string(), " failed: ", failure.code().message()));
    } catch (const RunError&) {
        fs::remove(partial, ignored);
        throw;
    }
}

}  // namespace

CheckpointFacts inspectCheckpoint(const fs::path& folder) {
    CheckpointFacts facts;
    std::error_code error;
    for (auto entry = fs::recursive_directory_iterator(folder, error); !error && entry != fs::end(entry); entry.increment(error))
        if (entry->is_regular_file()) {
            facts.bytes += static_cast<int64_t>(entry->file_size());
            ++facts.files;
        }
    if (error) throw RunError(concat("the checkpoint ", folder.string(), " cannot be read: ", error.message()));
    facts.hasRecipe = fs::exists(folder / RecipeName, error);
    facts.quantizedEmbedding = hasQuantizedEmbedding(folder);
    readConfig(parseFile(folder / "config.json"), facts);
    return facts;
}

void exportCheckpoint(const fs::path& from, const fs::path& destination, const std::function<bool(int64_t, int64_t)>& progress) {
    if (fs::exists(destination)) throw InputError(concat(destination.string(), " exists already: choose a new folder name."));
    const int64_t total = inspectCheckpoint(from).bytes;
    try {
        PartialFolder partial(destination.parent_path() / ("." + destination.filename().string() + ".partial"));
        int64_t done = 0;
        for (const auto& entry : fs::recursive_directory_iterator(from)) {
            const fs::path target = partial.path() / fs::relative(entry.path(), from);
            if (entry.is_directory()) {
                fs::create_directories(target);
                continue;
            }
            copyFile(entry.path(), target, [&](int64_t bytes) {
                done += bytes;
                if (!progress(done, total)) throw Cancelled();
            });
        }
        partial.renameTo(destination);
    } catch (const fs::filesystem_error& error) {
        throw RunError(concat("exporting to ", destination.string(), " failed: ", error.code().message()));
    }
}

void exportParts(const ExportOrder& order, const std::function<bool(int64_t, int64_t)>& progress) {
    if (!order.recipeFile.empty()) copyRecipe(order.checkpoint, order.recipeFile);
    try {
        if (!order.folder.empty()) exportCheckpoint(order.checkpoint, order.folder, progress);
    } catch (...) {
        std::error_code ignored;
        if (!order.recipeFile.empty()) fs::remove(order.recipeFile, ignored);
        throw;
    }
}

}  // namespace calibench
