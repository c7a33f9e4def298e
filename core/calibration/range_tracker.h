#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/calibration/run_events.h"
#include "core/models/layers.h"

namespace calibench {

struct ValueRange {
    double min = 0, max = 0;
    double p001 = 0, p999 = 0;  ///< 0.1 % and 99.9 % percentiles
};

/// The range of all values that pass by: min and max exactly, percentiles of an evenly spaced sample, so that watching a
/// tensor costs little more than reading it once.
class RangeTracker {
public:
    /// `sample_size`: values kept of each observation.
    explicit RangeTracker(int64_t sample_size = 4096) : sample_size_(sample_size) {}

    void observe(const at::Tensor& values);
    /// The same where somebody has found their min and max already.
    void observe(const at::Tensor& values, double min, double max);
    /// Unset before the first value. NaN when a NaN passed.
    [[nodiscard]] std::optional<ValueRange> range() const;

private:
    int64_t sample_size_;
    std::optional<ValueRange> extremes_;
    std::vector<float> sample_;  ///< finite values only
};

/// Min and max of tensors of which one may come several times in a row, as the input of query, key and value does: found once.
class LastMinMax {
public:
    [[nodiscard]] std::pair<double, double> of(const at::Tensor& values);

private:
    c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl> last_{c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>()};
    std::pair<double, double> min_max_;  ///< of the last; it is told by identity, and not kept alive
};

/// Throws RunError naming module and count when a Linear's weight holds NaN or infinity: no scale must come of them.
void require_finite_weight(const Linear& linear);
/// The range of a Linear's weight, which must be finite, too.
[[nodiscard]] RangeObserved observe_weight_range(const Linear& linear, int64_t block);

}  // namespace calibench
