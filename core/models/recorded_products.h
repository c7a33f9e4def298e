#pragma once

#include <ATen/record_function.h>

/// Tells whoever measures (calibench-bench) that so many operations of matrix products follow in this scope, by the one input of the
/// recorded function calibench::products.
#define CALIBENCH_RECORD_PRODUCTS(operations)       \
    const c10::IValue recorded(double{operations}); \
    RECORD_FUNCTION("calibench::products", c10::ArrayRef<const c10::IValue>(recorded))
