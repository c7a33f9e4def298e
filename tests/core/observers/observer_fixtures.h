#pragma once

#include <string>

#include <ATen/ATen.h>

#include "core/observers/registry.h"

namespace calibench::testing {

/// The same values at every run; a few of them far out, as in real weights and activations.
inline at::Tensor heavy_tailed(at::IntArrayRef shape, uint64_t seed) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    const at::Tensor normal = at::randn(shape, generator, at::kFloat);
    return normal * (at::rand(shape, generator, at::kFloat) < 0.02).to(at::kFloat).mul(6).add(1);
}

inline QuantizationArgs make_args(int num_bits, bool symmetric, Strategy strategy, int64_t group_size = 0) {
    QuantizationArgs args;
    args.num_bits = num_bits;
    args.symmetric = symmetric;
    args.strategy = strategy;
    if (group_size > 0) args.group_size = group_size;
    return resolve_defaults(args);
}

inline QuantizationArgs nvfp4_args() {
    QuantizationArgs args;
    args.num_bits = 4;
    args.type = QuantizationType::Float;
    args.strategy = Strategy::TensorGroup;
    args.group_size = 16;
    args.scale_dtype = DType::Float8E4M3;
    return resolve_defaults(args);
}

template <typename Body>
std::string thrown_by(const Body& body) {
    try {
        body();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

}  // namespace calibench::testing
