#include "core/autoround/error_feedback.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace calibench {

namespace {

// What few samples say of their columns is partly chance: shares of the inputs' squares that are added to keep from fitting that.
constexpr double kFeedbackDamping = 1;
constexpr double kCorrectionDamping = 2;
constexpr double kLeastSquare = 1e-6;  // of the mean: for columns that are always zero
constexpr int64_t kColumns = 128;  // are rounded before those behind them hear of it
constexpr int kSweeps = 3;         // of coordinate descent; most of what it finds it finds in the first
constexpr int64_t kRowsPerTask = 8;

/// Raw pointers of a LevelGrid for columns in another order.
class RowGrid {
public:
    RowGrid(const LevelGrid& grid, const std::vector<int64_t>& group_of, int64_t row) : group_of_(group_of.data()) {
        const int64_t offset = row * grid.scale.size(1);
        scale_ = grid.scale.const_data_ptr<float>() + offset;
        low_ = grid.low.const_data_ptr<float>() + offset;
        high_ = grid.high.const_data_ptr<float>() + offset;
    }
    [[nodiscard]] float scale(int64_t column) const { return scale_[group_of_[column]]; }
    /// The level nearest to `ratio` times the scale.
    [[nodiscard]] float level(float ratio, int64_t column) const {
        const int64_t group = group_of_[column];
        return std::min(high_[group], std::max(low_[group], std::nearbyint(ratio)));
    }

private:
    const float *scale_, *low_, *high_;
    const int64_t* group_of_;
};

/// Rounds one weight whose columns are in the order of rounding.
class FeedbackRounder {
public:
    FeedbackRounder(const at::Tensor& weight, const LevelGrid& grid, const at::Tensor& products, std::vector<int64_t> group_of)
        : weight_(weight), grid_(grid), products_(products), group_of_(std::move(group_of)), levels_(at::empty_like(weight)) {}

    [[nodiscard]] const at::Tensor& levels() const { return levels_; }

    /// `factor` U, upper: inverse(products) = U^T U. Its row c says how the columns behind c make good an error in c.
    void feed_forward(const at::Tensor& factor) {
        at::Tensor rest = weight_.clone();  // what the columns are still to come to
        at::Tensor errors = at::empty({rest.size(0), kColumns}, rest.options());
        for (int64_t begin = 0; begin < rest.size(1); begin += kColumns) {
            const int64_t end = std::min(begin + kColumns, rest.size(1));
            round_columns(begin, end, factor, rest, errors);
            if (end < rest.size(1)) {
                rest.slice(1, end).addmm_(errors.slice(1, 0, end - begin), factor.slice(0, begin, end).slice(1, end), 1, -1);
            }
        }
    }

    /// Moves one level after the other to where the error of its row is least.
    void descend() {
        const int64_t columns = weight_.size(1);
        const at::Tensor column_groups = at::tensor(group_of_, at::kLong);
        at::Tensor slopes = (weight_ - levels_ * grid_.scale.index_select(1, column_groups)).mm(products_);
        const float* products = products_.const_data_ptr<float>();
        float* all_levels = levels_.mutable_data_ptr<float>();
        float* all_slopes = slopes.mutable_data_ptr<float>();
        at::parallel_for(0, weight_.size(0), kRowsPerTask, [&](int64_t first, int64_t last) {
            for (int64_t row = first; row < last; ++row) {
                const RowGrid grid(grid_, group_of_, row);
                float* levels = all_levels + row * columns;
                float* slope = all_slopes + row * columns;
                bool changed = true;
                for (int sweep = 0; changed && sweep < kSweeps; ++sweep) {
                    changed = false;
                    for (int64_t c = 0; c < columns; ++c) {
                        const float* product = products + c * columns;
                        const float level = grid.level(levels[c] + slope[c] / (product[c] * grid.scale(c)), c);
                        if (level == levels[c]) continue;
                        const float change = (level - levels[c]) * grid.scale(c);
                        for (int64_t j = 0; j < columns; ++j) slope[j] -= change * product[j];
                        levels[c] = level;
                        changed = true;
                    }
                }
            }
        });
    }

private:
    void round_columns(int64_t begin, int64_t end, const at::Tensor& factor, at::Tensor& rest, at::Tensor& errors) {
        const int64_t columns = rest.size(1);
        const float* factors = factor.const_data_ptr<float>();
        float* all_rest = rest.mutable_data_ptr<float>();
        float* all_levels = levels_.mutable_data_ptr<float>();
        float* all_errors = errors.mutable_data_ptr<float>();
        at::parallel_for(0, rest.size(0), kRowsPerTask, [&](int64_t first, int64_t last) {
            for (int64_t row = first; row < last; ++row) {
                const RowGrid grid(grid_, group_of_, row);
                float* values = all_rest + row * columns;
                for (int64_t c = begin; c < end; ++c) {
                    const float* feedback = factors + c * columns;
                    const float level = grid.level(values[c] / grid.scale(c), c);
                    const float error = (values[c] - level * grid.scale(c)) / feedback[c];
                    for (int64_t j = c + 1; j < end; ++j) values[j] -= error * feedback[j];
                    all_levels[row * columns + c] = level;
                    all_errors[row * kColumns + c - begin] = error;
                }
            }
        });
    }

    const at::Tensor& weight_;
    const LevelGrid& grid_;
    const at::Tensor& products_;
    std::vector<int64_t> group_of_;  ///< of each column
    at::Tensor levels_;
};

at::Tensor damped(const at::Tensor& products, double share) {
    at::Tensor sum = products.clone();
    sum.diagonal().mul_(1 + share).add_(products.diagonal().mean() * kLeastSquare);
    return sum;
}

/// Undefined where the products are no sum of squares, as of inputs that are not finite.
at::Tensor feedback_factor(const at::Tensor& products) {
    const auto [lower, failed] = at::linalg_cholesky_ex(products.flip({0, 1}));
    if (failed.item<int>() != 0) return {};
    const at::Tensor identity = at::eye(products.size(0), products.options());
    return at::linalg_solve_triangular(lower, identity, /*upper=*/false).flip({0, 1}).contiguous();
}

at::Tensor nearest(const at::Tensor& weight, const LevelGrid& grid) {
    const auto by_column = [&](const at::Tensor& x) { return x.repeat_interleave(weight.size(1) / x.size(1), 1); };
    return (weight / by_column(grid.scale)).round().maximum(by_column(grid.low)).minimum(by_column(grid.high));
}

}  // namespace

at::Tensor round_with_feedback(const at::Tensor& weight, const LevelGrid& grid, const at::Tensor& products) {
    if (!products.defined()) return nearest(weight, grid);
    // The loudest columns first: the others are left to make good their errors.
    const at::Tensor order = products.diagonal().argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
    const at::Tensor ordered = damped(products.index_select(0, order).index_select(1, order), kFeedbackDamping);
    const at::Tensor factor = feedback_factor(ordered);
    if (!factor.defined()) return nearest(weight, grid);

    const int64_t group_size = weight.size(1) / grid.scale.size(1);
    std::vector<int64_t> group_of(order.const_data_ptr<int64_t>(), order.const_data_ptr<int64_t>() + order.numel());
    for (int64_t& column : group_of) column /= group_size;
    const at::Tensor columns = weight.index_select(1, order);
    FeedbackRounder rounder(columns, grid, ordered, std::move(group_of));
    rounder.feed_forward(factor);
    rounder.descend();
    return at::empty_like(columns).index_copy_(1, order, rounder.levels());
}

at::Tensor correct_weight(const at::Tensor& weight, const at::Tensor& products, const at::Tensor& errors) {
    const auto [lower, failed] = at::linalg_cholesky_ex(damped(products, kCorrectionDamping));
    if (failed.item<int>() != 0) return weight;
    return weight + at::cholesky_solve(errors.t(), lower).t();
}

}  // namespace calibench
