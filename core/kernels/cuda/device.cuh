#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "core/base/error.h"
#include "core/kernels/cuda/kernels.h"

namespace calibench::cuda {

__device__ inline float load(const float* from) { return *from; }
__device__ inline float load(const __nv_bfloat16* from) { return __bfloat162float(*from); }
__device__ inline void store(float* to, float x) { *to = x; }
__device__ inline void store(__nv_bfloat16* to, float x) { *to = __float2bfloat16_rn(x); }

/// What storing as T and loading again gives.
template <typename T>
__device__ float narrowed(float x) {
    T stored;
    store(&stored, x);
    return load(&stored);
}

__device__ inline float rounded_to(Rounding rounding, float x) {
    if (rounding == Rounding::Float16) return __half2float(__float2half_rn(x));
    if (rounding == Rounding::BFloat16) return __bfloat162float(__float2bfloat16_rn(x));
    return x;
}

__device__ inline float sign(float x) { return static_cast<float>((x > 0) - (x < 0)); }
/// NaN stays NaN, as in LibTorch's clamp; fminf and fmaxf would lose it.
__device__ inline float clamped(float x, float low, float high) {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
}

struct Sum {
    template <typename Number>
    __device__ Number operator()(Number a, Number b) const { return a + b; }
};
/// NaN wins.
struct Least {
    __device__ float operator()(float a, float b) const { return a < b || a != a ? a : b; }
};
struct Greatest {
    __device__ float operator()(float a, float b) const { return a > b || a != a ? a : b; }
};

/// The values of `Threads` neighbours (one warp, or the whole block) as one, the same bits in each of them and in every run. All of them
/// have to call it.
template <typename Combine, int Threads, typename Number>
__device__ Number combined(Number x) {
    constexpr Combine combine;
    for (int offset = 16; offset > 0; offset /= 2) x = combine(x, __shfl_xor_sync(0xffffffffu, x, offset));
    if constexpr (Threads > 32) {
        __shared__ Number parts[Threads / 32];
        __syncthreads();  // the last result has been read by everybody
        if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
        __syncthreads();
        x = parts[0];
        for (int part = 1; part < Threads / 32; ++part) x = combine(x, parts[part]);
    }
    return x;
}

template <int Threads, typename Number>
__device__ Number sum_over(Number x) { return combined<Sum, Threads>(x); }

// A grid has at most 2^31 - 1 blocks: kernels go through their items in strides of the whole grid.

/// For kernels of one item a thread.
__device__ inline int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }
/// For kernels of blockDim.y items a block, blockDim.x threads each.
__device__ inline int64_t first_team() { return static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; }
__device__ inline int64_t team_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.y; }

inline int64_t blocks_for(int64_t items, int64_t per_block) { return (items + per_block - 1) / per_block; }

/// Starts a kernel, which for no items at all (an expert that saw no token) is nothing to do. Throws RunError that names it.
template <typename Arguments>
void launch(const char* name, void (*kernel)(Arguments), const Arguments& arguments, int64_t blocks, dim3 threads, void* stream) {
    if (blocks == 0) return;
    constexpr int64_t most_blocks = 0x7fffffff;
    kernel<<<static_cast<unsigned>(std::min(blocks, most_blocks)), threads, 0, static_cast<cudaStream_t>(stream)>>>(arguments);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
        throw RunError(std::string("The CUDA kernel ") + name + " could not be started: " + cudaGetErrorString(error) +
                       ". Run on the CPU (--device cpu), or report it.");
}

/// A group is worked on by one warp up to this many values, by a block beyond.
constexpr int64_t most_for_a_warp = 1024;
constexpr int block_threads = 256;

/// launch() for kernels that come as <32> and <block_threads> threads to an item.
template <typename Arguments>
void launch_teams(const char* name, void (*by_warp)(Arguments), void (*by_block)(Arguments), const Arguments& arguments, int64_t items,
                  int64_t item_size, void* stream) {
    constexpr int warps = block_threads / 32;
    if (item_size <= most_for_a_warp) launch(name, by_warp, arguments, blocks_for(items, warps), dim3(32, warps), stream);
    else launch(name, by_block, arguments, items, dim3(block_threads), stream);
}

}  // namespace calibench::cuda
