#pragma once

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

__device__ inline float sign(float x) { return static_cast<float>((x > 0) - (x < 0)); }

/// The sum over `Threads` neighbours (one warp, or the whole block), the same bits in each of them and in every run.
template <int Threads, typename Number>
__device__ Number sum_over(Number x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
    if constexpr (Threads > 32) {
        __shared__ Number parts[Threads / 32];
        __syncthreads();  // the last sum has been read by everybody
        if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
        __syncthreads();
        x = 0;
        for (int part = 0; part < Threads / 32; ++part) x += parts[part];
    }
    return x;
}

template <int Threads>
__device__ float max_over(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    if constexpr (Threads > 32) {
        __shared__ float parts[Threads / 32];
        __syncthreads();
        if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
        __syncthreads();
        x = parts[0];
        for (int part = 1; part < Threads / 32; ++part) x = fmaxf(x, parts[part]);
    }
    return x;
}

inline void check_launch(const char* kernel) {
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
        throw RunError(std::string("The CUDA kernel ") + kernel + " could not be started: " + cudaGetErrorString(error) +
                       ". Run on the CPU (--device cpu), or report it.");
}

inline cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

inline unsigned blocks_for(int64_t items, int64_t per_block) { return static_cast<unsigned>((items + per_block - 1) / per_block); }

}  // namespace calibench::cuda
