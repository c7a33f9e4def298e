#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace calibench {

/// What a compressed-tensors directory says of itself.
struct CheckpointFacts {
    std::string format;  ///< "pack-quantized", as its config.json says; empty when it says nothing
    int64_t bytes = 0;
    int files = 0;
    bool hasRecipe = false;             ///< recipe.yaml, in llm-compressor's form
    bool quantizedCache = false;        ///< scales of a key/value cache of 8-bit floats
    bool experts = false;
    bool quantizedEmbedding = false;
};

/// Throws RunError when the directory cannot be read.
[[nodiscard]] CheckpointFacts inspectCheckpoint(const std::filesystem::path& folder);

/// Copies a finished checkpoint to `destination`, which must not exist yet: beside it first, then renamed, so that it is
/// complete or not there at all. `progress(done, total)` in bytes; when it returns false the copy is removed and Cancelled
/// thrown. Throws InputError when the destination is taken, RunError when the disk does not play along.
void exportCheckpoint(const std::filesystem::path& from, const std::filesystem::path& destination,
                      const std::function<bool(int64_t, int64_t)>& progress);

/// What is wanted of a finished checkpoint, and where; an empty path: not that.
struct ExportOrder {
    std::filesystem::path checkpoint;
    std::filesystem::path folder;      ///< for the whole checkpoint
    std::filesystem::path recipeFile;  ///< for its recipe alone
};

/// All of the order or nothing. Neither destination may exist yet; throws as exportCheckpoint().
void exportParts(const ExportOrder& order, const std::function<bool(int64_t, int64_t)>& progress);

}  // namespace calibench
