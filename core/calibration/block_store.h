#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/calibration/run_plan.h"
#include "core/checkpoint/compressor.h"

namespace calibench {

/// What a finished block leaves behind: enough to export it, and to compute with it again.
struct FinishedBlock {
    std::vector<NamedTensor> tensors;  ///< as the checkpoint stores them, under full names, in the order of the export
    ModulePlans modules;               ///< how its modules were quantized
};

/// blocks/ in a run directory: a safetensors file for each finished finished, there as a whole or not at all.
class BlockStore {
public:
    explicit BlockStore(const std::filesystem::path& run_dir);

    /// Throws RunError on a full disk.
    void keep(const std::string& name, const FinishedBlock& finished) const;
    [[nodiscard]] bool contains(const std::string& name) const;
    /// The tensors are views of the file. Throws InputError when it is damaged.
    [[nodiscard]] FinishedBlock read(const std::string& name) const;

    /// What a killed process was writing when it died.
    void remove_unfinished() const noexcept;
    void remove_all() const noexcept;

private:
    [[nodiscard]] std::filesystem::path file_of(const std::string& name) const;

    std::filesystem::path directory_;
};

}  // namespace calibench
