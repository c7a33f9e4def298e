#pragma once

#include "core/observers/observer.h"

namespace calibench {

/// A search for the range that quantizes best: from `expand` times the observed range down by steps of 1/grid of that
/// (llmcompressor/observers/mse_quant.py and imatrix.py).
struct RangeSearch {
    double maxshrink = 0.20;  ///< int(maxshrink * grid) steps are tried
    double patience = 5;      ///< stop after so many steps in which no group of the tensor improved
    double grid = 100;
    double norm = 2.4;        ///< a group's error is sum |quantized - observed|^norm
    double expand = 1.0;

    /// The fields that observer_kwargs names, over these. Throws InputError for options that make no search.
    [[nodiscard]] RangeSearch overridden_by(const Observer& observer) const;
};

/// The best range of every group of a flattened observation. The scale is not rounded to scale_dtype for tensor_group.
[[nodiscard]] MinMax search_range(const at::Tensor& flattened, const QuantizationArgs& args, const RangeSearch& search);

/// The same with each column's error multiplied by its importance, float32 [columns]; undefined: all alike. As the reference
/// has it, errors are taken in float32, one step more is tried, at least two, and patience 0 means to try them all.
[[nodiscard]] MinMax search_weighted_range(const at::Tensor& flattened, const QuantizationArgs& args, const RangeSearch& search,
                                           const at::Tensor& importance);

}  // namespace calibench
