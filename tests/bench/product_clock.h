#pragma once

#include <ATen/record_function.h>

namespace calibench::bench {

/// While it lives: how much of the time goes to matrix products and attention, and how many floating point operations they are. The
/// fused halves of a block count as a whole, with the norm, activation and packing that they do between their products; their operations
/// are those of the products alone, and of attention only what the causal rule lets through.
class ProductClock {
public:
    ProductClock();
    ~ProductClock();
    ProductClock(const ProductClock&) = delete;
    ProductClock& operator=(const ProductClock&) = delete;

    struct Share {
        double seconds = 0;
        double operations = 0;  ///< a multiply and an add are two
    };
    [[nodiscard]] Share total() const;

private:
    at::CallbackHandle handle_;
};

/// The most operations a second that one large product reaches here in `dtype`: the best of several.
[[nodiscard]] double peak_operations_per_second(at::ScalarType dtype);

}  // namespace calibench::bench
