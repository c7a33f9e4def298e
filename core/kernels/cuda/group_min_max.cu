#include <cmath>

#include "core/kernels/cuda/device.cuh"
#include "core/kernels/cuda/group_runs.cuh"

namespace calibench::cuda {

namespace {

template <typename T, int Threads>
__global__ void range_of_parts(RangeArguments p) {
    const T* values = static_cast<const T*>(p.values);
    for (int64_t part = first_team(); part < parts_of(p.runs); part += team_stride()) {
        float min = INFINITY, max = -INFINITY;
        for_each_run(p.runs, part, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin + threadIdx.x; i < end; i += Threads) {
                const float value = load(values + i);
                min = Least{}(min, value);
                max = Greatest{}(max, value);
            }
        });
        min = combined<Least, Threads>(min);
        max = combined<Greatest, Threads>(max);
        if (threadIdx.x == 0) {
            store(static_cast<T*>(p.min) + part, min);
            store(static_cast<T*>(p.max) + part, max);
        }
    }
}

}  // namespace

void launch_group_min_max(const RangeArguments& arguments, bool narrow, void* stream) {
    launch_teams("group_min_max", narrow ? range_of_parts<__nv_bfloat16, 32> : range_of_parts<float, 32>,
                 narrow ? range_of_parts<__nv_bfloat16, block_threads> : range_of_parts<float, block_threads>, arguments,
                 parts_of(arguments.runs), arguments.runs.size, stream);
}

}  // namespace calibench::cuda
