#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/quantization/quantization_args.h"

namespace calibench {

// What quantization does to one weight, as numbers that a plot can show: no tensor leaves core.

/// A rectangle of a matrix, in values.
struct Extent {
    int64_t row = 0, column = 0;
    int64_t rows = 0, columns = 0;
    bool operator==(const Extent&) const = default;
};

/// Bins of equal width over [low, high]; the last one holds `high` too. The counts sum to the number of finite values.
struct ValueHistogram {
    double low = 0, high = 0;
    std::vector<int64_t> counts;
    [[nodiscard]] double bin_width() const { return counts.empty() ? 0 : (high - low) / static_cast<double>(counts.size()); }
};

/// Cells, row-major [rows, columns]. Cell (i, j) begins at value (covers.row + i * cell_rows, covers.column + j * cell_columns); all have the
/// same size, but for the last row and column, which end with `covers`.
struct MapTile {
    int64_t rows = 0, columns = 0;
    std::vector<float> values;
    Extent covers;
    int64_t cell_rows = 1, cell_columns = 1;
};

/// What can be looked at of a weight W and its quantized form Wq.
enum class WeightLayer {
    Weight,     ///< W
    Quantized,  ///< Wq, dequantized
    Error,      ///< W - Wq
    Scale,      ///< of the group a value belongs to, as it counts: with the global scale taken into account
};

/// One output row or input column of a weight.
struct ChannelError {
    int64_t index = 0;
    double sqnr_db = 0;
    double max_abs_error = 0;
    double error_share = 0;  ///< of the weight's whole sum of (W - Wq)^2, 0 .. 1
};

/// All sums in float64. Ratios in dB are 10 log10(sum x^2 / sum (x - xq)^2); +infinity where nothing is lost.
struct WeightFacts {
    std::string module;
    std::string scheme;                   ///< "W4 g64 sym"
    int64_t rows = 0, columns = 0;
    int64_t group_rows = 0, group_columns = 0;  ///< of the tile that shares one scale
    int64_t num_not_finite = 0;           ///< left out of everything else
    double min = 0, max = 0;
    double sqnr_db = 0;
    double worst_group_sqnr_db = 0;       ///< of the group that loses most
    double max_abs_error = 0;
    int64_t max_error_row = 0, max_error_column = 0;
    double range_use = 0;      ///< mean over groups of (largest - smallest level taken) / (levels - 1); 1 takes the whole grid
    double worst_range_use = 0;
    double clipped_share = 0;  ///< of the values that lie more than half a step outside of their grid, what rounding the scale to bfloat16 explains left out
    double outlier_ratio = 0;  ///< the largest over groups of max|w| / rms(w)
    bool constant_rows = false;  ///< some row, or all, has but one level, or one value, though the values of W differ
    int64_t num_constant_rows = 0;  ///< how many
    int64_t num_groups = 0;
    double largest_scale = 0, median_scale = 0;  ///< of their magnitudes
};

/// One weight and what became of it, to be looked at from near and far. Methods may be called from any thread.
class WeightInspection {
public:
    virtual ~WeightInspection() = default;

    [[nodiscard]] virtual const WeightFacts& facts() const = 0;
    /// `part` in about max_rows x max_columns cells, each with the value of largest magnitude that it covers, sign kept: a single wrong value
    /// is seen from any distance. Cells are powers of two of rows and of columns, no larger than it takes, on one grid for the whole
    /// weight, so that they do not flicker while the view moves: the tile covers `part` widened to whole cells, which may be one
    /// more each way. NaN: a cell without a finite value.
    [[nodiscard]] virtual MapTile map(WeightLayer layer, const Extent& part, int64_t max_rows, int64_t max_columns) const = 0;
    [[nodiscard]] virtual ValueHistogram histogram(WeightLayer layer, int bins, const std::optional<Extent>& part = {}) const = 0;
    /// The values that the group of this weight can hold, ascending; empty beyond 8 bits.
    [[nodiscard]] virtual std::vector<double> levels(int64_t row, int64_t column) const = 0;
    /// The `count` channels with the largest share of the error, largest first.
    [[nodiscard]] virtual std::vector<ChannelError> worst_rows(int64_t count) const = 0;
    [[nodiscard]] virtual std::vector<ChannelError> worst_columns(int64_t count) const = 0;
    /// Bytes as its checkpoint would store it; scales and zero points as float32: for tests and tables. [scales..], row-major.
    [[nodiscard]] virtual MapTile scales() const = 0;
    [[nodiscard]] virtual MapTile zero_points() const = 0;  ///< empty for symmetric schemes
};

/// Which quantized form is meant: that of `weights`, rounded to nearest as a run without tuning would, or that which a run left in a
/// compressed checkpoint or, while it is at work, in its run directory.
struct WeightRequest {
    std::filesystem::path model_dir;
    std::string module;
    std::optional<QuantizationArgs> weights;
    std::filesystem::path checkpoint_dir;  ///< looked at where `weights` is unset: an export
    std::filesystem::path run_dir;         ///< or a run's directory: its finished blocks
    /// Of tensor_group: modules that share this one's global scale; empty: the projections that are fused with it by their names.
    std::vector<std::string> fused_with;
    /// Of imatrix observers: the mean square of every input channel (InputFacts::channel_mean_square); empty: all weigh the same.
    std::vector<float> channel_mean_square;
};

/// Reads the one weight (by memory map) and what belongs to it. A module that nothing is asked of, or that the run left as it is, has
/// Wq = W. Throws InputError when the module, the checkpoint or the block is not there, saying what to do; RunError when no scale
/// follows from a weight that holds NaN or infinity.
[[nodiscard]] std::shared_ptr<const WeightInspection> inspect_weight(const WeightRequest& request);

}  // namespace calibench
