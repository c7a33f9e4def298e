#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/analysis/level_loops.h"
#include "core/analysis/model_files.h"
#include "core/analysis/weight_inspection.h"
#include "core/calibration/block_store.h"
#include "core/quantization/quantization_args.h"

namespace calibench {

/// What became of a weight, as a reader of the checkpoint sees it who computes in float32.
struct QuantizedWeight {
    std::optional<QuantizationArgs> args;  ///< unset: left as it is, and all the rest is empty
    at::Tensor levels;                     ///< int8, bfloat16 or float32 [rows, columns]; undefined: those of `rounding`
    at::Tensor stored_scale;               ///< float32, in the shape of the checkpoint
    at::Tensor stored_zero_point;          ///< float32; undefined where symmetric
    at::Tensor scale, zero_point;          ///< float32 [rows of groups, columns of groups], the global scale taken into account
    at::Tensor column_group;               ///< int64 [columns], the group of each in older checkpoints (g_idx); undefined: in order
    int64_t group_rows = 0, group_columns = 0;
    bool in_bfloat16 = false;              ///< (level - zero point) * scale is rounded to it

    /// Levels that are found again whenever they are looked at, by what W was divided by: keeping them would take longer.
    struct Rounding {
        at::Tensor scale, zero_point;  ///< float32, as those above
        LevelKind kind = LevelKind::Whole;
        float low = 0, high = 0;
        bool in_bfloat16 = false;      ///< W / scale is rounded to it, and so is what the zero point makes of it
    };
    std::optional<Rounding> rounding;
};

/// Finds quantized forms as WeightRequest says; what it opened for one module serves the next.
class QuantizedWeights {
public:
    /// Holds on to `model`.
    explicit QuantizedWeights(const ModelFiles& model) : model_(model) {}

    /// `weight`: of request.module. All requests name the same directories.
    [[nodiscard]] QuantizedWeight find(const WeightRequest& request, const at::Tensor& weight);

private:
    [[nodiscard]] QuantizedWeight find_stored(const WeightRequest& request);
    [[nodiscard]] QuantizedWeight round_to_nearest(const WeightRequest& request, const at::Tensor& weight) const;
    [[nodiscard]] std::vector<std::string> fused_modules(const WeightRequest& request) const;
    [[nodiscard]] QuantizedWeight read_export(const std::filesystem::path& checkpoint_dir, const std::string& module);
    [[nodiscard]] std::optional<QuantizedWeight> read_block(const std::filesystem::path& run_dir, const ModuleSpec& spec);

    const ModelFiles& model_;
    std::shared_ptr<const ModelFiles> export_;
    std::optional<FinishedBlock> block_;
    int block_index_ = -1;
};

}  // namespace calibench
