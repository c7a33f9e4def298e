#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace calibench {

struct CheckpointFacts {
    std::string format;  ///< "pack-quantized", as its config.json says; empty when it says nothing
    int64_t bytes = 0;
    int files = 0;
};

/// Throws RunError when the directory cannot be read.
[[nodiscard]] CheckpointFacts inspectCheckpoint(const std::filesystem::path& folder);

/// Copies a finished checkpoint to `destination`, which must not exist yet: beside it first, then renamed, so that it is
/// complete or not there at all. `progress(done, total)` in bytes; when it returns false the copy is removed and Cancelled
/// thrown. Throws InputError when the destination is taken, RunError when the disk does not play along.
void exportCheckpoint(const std::filesystem::path& from, const std::filesystem::path& destination,
                      const std::function<bool(int64_t, int64_t)>& progress);

}  // namespace calibench
