#include <cmath>

#include "core/kernels/cuda/device.cuh"
#include "core/kernels/cuda/group_runs.cuh"

namespace calibench::cuda {

namespace {

// The arithmetic is that of core/kernels/cpu/group_lanes.inl, step by step.

struct Candidate {
    float scale, zero_point;
};

__device__ Candidate candidate_of(const SearchArguments& p, int64_t group, int number) {
    if (p.scales != nullptr) {
        const int64_t place = number * p.runs.groups + group;
        return {p.scales[place], p.zero_points != nullptr ? p.zero_points[place] : 0.0f};
    }
    const auto rounded = [&](float x) { return rounded_to(p.rule.rounding, x); };
    const float factor = p.factors[number];
    const float bottom = fminf(rounded(p.min[group] * factor), 0.0f), top = fmaxf(rounded(p.max[group] * factor), 0.0f);
    const float extent = p.rule.is_symmetric ? fmaxf(-bottom, top) : rounded(top - bottom);
    Candidate candidate = {rounded(extent / p.rule.divisor), 0.0f};
    if (!p.rule.is_symmetric) {
        const float zero_point = rounded(p.rule.low - rounded(bottom / candidate.scale));
        candidate.zero_point = rintf(fminf(fmaxf(zero_point, p.rule.low), p.rule.high));  // of an empty range: low
    }
    if (candidate.scale == 0) candidate.scale = p.rule.least;
    return candidate;
}

/// To the nearest float of so many mantissa bits, ties to even: adding and taking away 1.5 * 2^23 times the last place wanted leaves the
/// rest to the processor's own rounding.
__device__ float rounded_to_mantissa(float x, float least_normal, float magic_factor) {
    const float power = __uint_as_float(__float_as_uint(x) & 0x7f800000u);
    const float magic = fmaxf(power, least_normal) * magic_factor;
    return (x + magic) - magic;
}

/// |dequantize(quantize(value)) - value|^exponent.
__device__ float error_of(const SearchArguments& p, const Candidate& candidate, float value) {
    const ErrorFormat& format = p.format;
    const auto rounded = [&](float x) { return rounded_to(format.rounding, x); };
    float level = rounded(value / candidate.scale);
    if (format.has_zero_point) level = rounded(level + candidate.zero_point);
    level = fminf(fmaxf(level, format.low), format.high);
    level = format.float_levels ? rounded_to_mantissa(level, format.least_normal, format.magic_factor) : rintf(level);
    if (format.has_zero_point) level = rounded(level - candidate.zero_point);
    const Rounding of_errors = format.is_weighted ? Rounding::Float32 : format.rounding;
    const float error = fabsf(rounded_to(of_errors, rounded(level * candidate.scale) - value));
    float raised = error;
    if (p.whole_exponent == 0) raised = powf(error, p.exponent);
    for (int factor = 1; factor < p.whole_exponent; ++factor) raised *= error;
    return rounded_to(of_errors, raised);
}

template <typename T, int Threads>
__global__ void sum_errors(SearchArguments p) {
    const T* values = static_cast<const T*>(p.values);
    for (int64_t part = first_team(); part < parts_of(p.runs); part += team_stride()) {
        for (int number = 0; number < p.candidates; ++number) {
            const Candidate candidate = candidate_of(p, part % p.runs.groups, number);
            double sum = 0;
            for_each_run(p.runs, part, [&](int64_t begin, int64_t end) {
                float sum_of_run = 0;
                for (int64_t i = begin + threadIdx.x; i < end; i += Threads) {
                    const float error = error_of(p, candidate, load(values + i));
                    sum_of_run += p.weights != nullptr ? error * p.weights[i % p.columns] : error;
                }
                sum += sum_of_run;
            });
            sum = sum_over<Threads>(sum);
            if (threadIdx.x == 0) p.sums[part * SearchArguments::most_candidates + number] = sum;
        }
    }
}

/// One warp a group: each lane adds up one candidate's parts, in order; then all go through the candidates, in order.
__global__ void compare_errors(SearchArguments p) {
    static_assert(SearchArguments::most_candidates <= 32);
    const int lane = static_cast<int>(threadIdx.x);
    for (int64_t group = first_team(); group < p.runs.groups; group += team_stride()) {
        double sum = 0;
        for (int64_t part = 0; lane < p.candidates && part < p.runs.parts; ++part)
            sum += p.sums[(part * p.runs.groups + group) * SearchArguments::most_candidates + lane];
        const float own_error = rounded_to(p.error_rounding, static_cast<float>(sum));
        float least = p.best_error[group];
        int32_t factor = p.best_factor[group];
        int32_t improved = 0;
        for (int number = 0; number < p.candidates; ++number) {
            const float error = __shfl_sync(0xffffffffu, own_error, number);
            if (!(error < least)) continue;
            least = error;
            factor = p.first_factor + number;
            improved |= 1 << number;
        }
        if (lane == 0) {
            p.pending_error[group] = least;
            p.pending_factor[group] = factor;
            if (improved != 0) atomicOr(p.improved, improved);
        }
    }
}

}  // namespace

void launch_group_search(const SearchArguments& arguments, bool narrow, void* stream) {
    launch_teams("group_search", narrow ? sum_errors<__nv_bfloat16, 32> : sum_errors<float, 32>,
                 narrow ? sum_errors<__nv_bfloat16, block_threads> : sum_errors<float, block_threads>, arguments, parts_of(arguments.runs),
                 arguments.runs.size, stream);
    constexpr int warps = block_threads / 32;
    launch("group_search_compare", compare_errors, arguments, blocks_for(arguments.runs.groups, warps), dim3(32, warps), stream);
}

}  // namespace calibench::cuda
