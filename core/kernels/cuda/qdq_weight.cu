#include <cmath>

#include "core/kernels/cuda/device.cuh"

namespace calibench::cuda {

namespace {

// The arithmetic is that of core/kernels/cpu/qdq_weight.cpp, step by step; compiled without fused multiply-add, it gives the same numbers.

struct Grid {
    float scale;
    float low, high;  ///< the zero point already taken off
    float min, max;   ///< the shrunken range
    bool clipped;     ///< the scale was held at its threshold, so that it passes no gradient
};

__device__ Grid grid_of(const QdqArguments& p, int64_t group, float min_scale, float max_scale) {
    Grid grid;
    grid.min = p.range_min[group] * min_scale;
    grid.max = p.range_max[group] * max_scale;
    const float threshold = rounded_to(p.scale_rounding, p.scale_threshold);
    if (p.symmetric) {
        const float largest = grid.max < -grid.min ? -grid.min : -grid.max;
        const float scale = rounded_to(p.scale_rounding, largest / p.levels);
        grid.clipped = !(fabsf(scale) >= threshold);
        grid.scale = !grid.clipped ? scale : scale < 0 ? -threshold : threshold;
        grid.low = -p.levels;
        grid.high = p.levels - 1;
    } else {
        const float scale = rounded_to(p.scale_rounding, (grid.max - grid.min) / p.levels);
        grid.clipped = !(scale >= threshold);
        grid.scale = grid.clipped ? threshold : scale;
        const float zero_point = nearbyintf(-grid.min / grid.scale);
        grid.low = -zero_point;
        grid.high = p.levels - zero_point;
    }
    return grid;
}

/// Autograd's path from the group's sums to min_scale and max_scale, narrow roundings of the scale's gradient included.
__device__ void step_scales(const QdqArguments& p, int64_t group, const Grid& grid, double by_value, double by_ratio, double outside,
                            float& min_scale, float& max_scale) {
    const auto narrow = [&](double x) { return rounded_to(p.scale_rounding, static_cast<float>(x)); };
    float by_scale = narrow(narrow(by_value) + narrow(-by_ratio));
    float by_min, by_max;
    if (p.symmetric) {
        if (grid.clipped) by_scale = 0;
        const float min_abs = -grid.min;
        const float by_largest = by_scale / p.levels * (grid.max < min_abs ? 1.0f : -1.0f);
        by_min = grid.max <= min_abs ? -by_largest : 0.0f;
        by_max = grid.max >= min_abs ? by_largest : 0.0f;
    } else {
        const float by_zero_point = static_cast<float>(-outside);
        by_scale = narrow(by_scale + narrow(by_zero_point * (grid.min / grid.scale) / grid.scale));
        if (grid.clipped) by_scale = 0;
        by_max = by_scale / p.levels;
        by_min = -by_max - by_zero_point / grid.scale;
    }
    min_scale = fminf(p.most_scale, fmaxf(0.0f, min_scale - p.minmax_rate * sign(by_min * p.range_min[group])));
    max_scale = fminf(p.most_scale, fmaxf(0.0f, max_scale - p.minmax_rate * sign(by_max * p.range_max[group])));
}

template <typename T>
__device__ void quantize(const T* weight, const float* v, T* qdq, int64_t i, const Grid& grid) {
    const float rounded = nearbyintf(load(weight + i) / grid.scale + v[i]);
    store(qdq + i, grid.scale * clamped(rounded, grid.low, grid.high));
}

/// `Threads` threads a group, blockDim.y groups a block.
template <typename T, int Threads>
__global__ void forward_groups(QdqArguments p) {
    for (int64_t group = first_team(); group < p.groups; group += team_stride()) {
        const Grid grid = grid_of(p, group, p.min_scale[group], p.max_scale[group]);
        const int64_t begin = group * p.group_size, end = begin + p.group_size;
        for (int64_t i = begin + threadIdx.x; i < end; i += Threads)
            quantize(static_cast<const T*>(p.weight), p.v, static_cast<T*>(p.qdq), i, grid);
    }
}

template <typename T, int Threads>
__device__ void step_group(const QdqArguments& p, int64_t group) {
    const T* weight = static_cast<const T*>(p.weight);
    const T* grad = static_cast<const T*>(p.grad);
    float min_scale = p.min_scale[group], max_scale = p.max_scale[group];
    Grid grid = grid_of(p, group, min_scale, max_scale);
    const int64_t begin = group * p.group_size, end = begin + p.group_size;
    double by_value = 0, by_ratio = 0, outside = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += Threads) {
        const float ratio = load(weight + i) / grid.scale;
        const float rounded = nearbyintf(ratio + p.v[i]);
        const float q = clamped(rounded, grid.low, grid.high);
        const float g = load(grad + i);
        const float by_q = g * grid.scale;
        const bool inside = rounded == q;  // the clamp cuts the gradient of what it moved
        by_value += g * q;
        if (inside) by_ratio += g * ratio;
        else outside += by_q;
        p.v_next[i] = p.v[i] - p.rate * sign(inside ? by_q : 0.0f);
    }
    if (p.minmax_rate != 0) {
        by_value = sum_over<Threads>(by_value);
        by_ratio = sum_over<Threads>(by_ratio);
        outside = sum_over<Threads>(outside);
        step_scales(p, group, grid, by_value, by_ratio, outside, min_scale, max_scale);
        if (threadIdx.x == 0) {
            p.min_scale[group] = min_scale;
            p.max_scale[group] = max_scale;
        }
        grid = grid_of(p, group, min_scale, max_scale);
    }
    // Each thread reads back what it wrote itself.
    for (int64_t i = begin + threadIdx.x; i < end; i += Threads) quantize(weight, p.v_next, static_cast<T*>(p.qdq), i, grid);
}

template <typename T, int Threads>
__global__ void step_groups(QdqArguments p) {
    for (int64_t group = first_team(); group < p.groups; group += team_stride()) step_group<T, Threads>(p, group);
}

}  // namespace

void launch_qdq_forward(const QdqArguments& arguments, bool narrow, void* stream) {
    launch_teams("qdq_forward", narrow ? forward_groups<__nv_bfloat16, 32> : forward_groups<float, 32>,
                 narrow ? forward_groups<__nv_bfloat16, block_threads> : forward_groups<float, block_threads>, arguments, arguments.groups,
                 arguments.group_size, stream);
}

void launch_qdq_step(const QdqArguments& arguments, bool narrow, void* stream) {
    launch_teams("qdq_step", narrow ? step_groups<__nv_bfloat16, 32> : step_groups<float, 32>,
                 narrow ? step_groups<__nv_bfloat16, block_threads> : step_groups<float, block_threads>, arguments, arguments.groups,
                 arguments.group_size, stream);
}

}  // namespace calibench::cuda
