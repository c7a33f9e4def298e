#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace calibench {

/// A shuffled cyclic order of samples (auto_round IndexSampler): each batch takes the next ones, a remainder too small for a
/// batch is discarded and everything reshuffled. It has its own generator, so that nothing else in a run disturbs it.
class SampleOrder {
public:
    /// A batch larger than `samples` is cut to them all.
    SampleOrder(int64_t samples, int64_t batch_size, uint64_t seed);

    /// Indices of the next batch, ascending: their order within a batch changes no result, and memory is read forwards.
    [[nodiscard]] std::vector<int64_t> next();

private:
    void shuffle();

    std::vector<int64_t> order_;
    size_t batch_size_;
    size_t position_ = 0;
    std::mt19937_64 generator_;
};

/// Every block draws an order of its own, as with auto-round, whose one generator goes on from block to block: no few samples are then
/// the last that every block looks at.
[[nodiscard]] uint64_t seed_of_block(uint64_t seed, int64_t block);

}  // namespace calibench
