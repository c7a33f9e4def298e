#pragma once

#include "core/kernels/error_format.h"
#include "core/kernels/group_search.h"

namespace calibench {

/// The inputs of a search as its loops want them, on any device.
struct SearchFormat {
    ErrorFormat errors;
    ScaleRule scales;
    Rounding error_rounding;    ///< of an error, and of the sum of all
    double exponent;            ///< as the errors' dtype holds it: LibTorch raises a tensor to a power in the tensor's own
    float largest_error;        ///< that dtype's largest finite number
};
[[nodiscard]] SearchFormat search_format(const GroupSearchInputs& inputs);

}  // namespace calibench
