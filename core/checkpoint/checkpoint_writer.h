#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/compressor.h"

namespace calibench {

struct CheckpointWriterOptions {
    std::filesystem::path source_dir;   ///< whose config.json, tokenizer and generation files are carried along
    std::filesystem::path output_dir;   ///< must not exist, or be empty
    int64_t max_shard_bytes = 5LL << 30;
    uint64_t header_room = 64 << 10;    ///< bytes kept for a shard's header; one that grows beyond them costs a copy of the shard
};

/// Writes a compressed-tensors directory as the run goes: a thread of its own appends tensors to shards beside the destination
/// (".<name>.partial-<pid>"), and commit() renames the whole directory into place. Without commit() nothing is left behind.
class CheckpointWriter {
public:
    /// Throws InputError when the destination cannot be written or is not empty.
    explicit CheckpointWriter(CheckpointWriterOptions options);
    ~CheckpointWriter();  ///< removes what was not committed

    /// Appends tensors under full names; nobody may write into them. `on_written` is called, on that thread, when they are in the file.
    /// Throws RunError on a full disk, now or with a later call.
    void add(std::vector<NamedTensor> tensors, std::function<void()> on_written = {});
    /// config.json then says that head and embedding no longer share one weight.
    void untie_embeddings();
    /// Waits for what was added, writes the index, config.json with `quantization_config`, tokenizer files and recipe.yaml, then renames into place.
    void commit(const nlohmann::json& quantization_config, const std::string& recipe_yaml);

    [[nodiscard]] int64_t bytes_written() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// quantization_config as ModelCompressor.update_config writes it (keys sorted, nulls kept, explicit ignore list).
[[nodiscard]] nlohmann::json quantization_config_json(const std::vector<std::pair<std::string, QuantizationScheme>>& config_groups,
                                                      const std::vector<std::string>& ignored_modules,
                                                      const std::optional<QuantizationArgs>& kv_cache_scheme);

/// Writes one .safetensors file atomically (beside its name, then renamed). Throws RunError on a full disk.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace calibench
