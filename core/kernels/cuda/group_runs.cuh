#pragma once

#include "core/kernels/cuda/kernels.h"

namespace calibench::cuda {

/// Of all groups together; part p is group p % groups.
__host__ __device__ inline int64_t parts_of(const GroupRuns& runs) { return runs.parts * runs.groups; }

/// Calls body(begin, end) for the runs of a part, positions in the flattened values.
template <typename Body>
__device__ void for_each_run(const GroupRuns& runs, int64_t part, const Body& body) {
    const int64_t group = part % runs.groups;
    const int64_t first = part / runs.groups * runs.observations_per_part;
    const int64_t last = first + runs.observations_per_part < runs.observations ? first + runs.observations_per_part : runs.observations;
    for (int64_t observation = first; observation < last; ++observation) {
        const int64_t begin = (observation * runs.groups + group) * runs.size;
        body(begin, begin + runs.size < runs.total ? begin + runs.size : runs.total);
    }
}

}  // namespace calibench::cuda
