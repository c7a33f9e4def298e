#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/calibration/input_sketches.h"
#include "core/calibration/run_events.h"

namespace calibench {

/// All that is remembered of a finished block beyond its weights.
struct StoredSketches {
    BlockSketches inputs;
    std::vector<OutputErrorMeasured> output_errors;
    at::ScalarType scale_dtype = at::kFloat;  ///< that static scales are stored in
};

/// sketches/ in a run directory: a safetensors file for each finished block, there as a whole or not at all; kept when the run is finished.
class SketchStore {
public:
    explicit SketchStore(const std::filesystem::path& run_dir);

    /// Throws RunError on a full disk.
    void keep(const std::string& block, const StoredSketches& sketches) const;
    /// As another run keeps them; nothing when it has none.
    void take_over(const std::string& block, const SketchStore& other) const;
    /// Unset when there are none. Throws InputError when the file is damaged.
    [[nodiscard]] std::optional<StoredSketches> read(const std::string& block) const;
    /// In model order.
    [[nodiscard]] std::vector<std::string> blocks() const;
    /// When a block's were written; unset when there are none.
    [[nodiscard]] std::optional<std::filesystem::file_time_type> written(const std::string& block) const;

    /// What a killed process was writing when it died.
    void remove_unfinished() const noexcept;
    void remove_all() const noexcept;

private:
    [[nodiscard]] std::filesystem::path file_of(const std::string& block) const;
    void make_directory() const;

    std::filesystem::path directory_;
};

}  // namespace calibench
