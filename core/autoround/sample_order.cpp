#include "core/autoround/sample_order.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace calibench {

namespace {

/// Uniform in [0, bound). Written out because std::uniform_int_distribution differs between standard libraries.
uint64_t below(std::mt19937_64& generator, uint64_t bound) {
    const uint64_t limit = std::numeric_limits<uint64_t>::max() - std::numeric_limits<uint64_t>::max() % bound;
    uint64_t draw = generator();
    while (draw >= limit) draw = generator();
    return draw % bound;
}

}  // namespace

SampleOrder::SampleOrder(int64_t samples, int64_t batch_size, uint64_t seed)
    : order_(static_cast<size_t>(samples)), batch_size_(static_cast<size_t>(std::min(samples, batch_size))), generator_(seed) {
    std::iota(order_.begin(), order_.end(), 0);
    shuffle();
}

std::vector<int64_t> SampleOrder::next() {
    if (position_ + batch_size_ > order_.size()) {
        shuffle();
        position_ = 0;
    }
    const auto first = order_.begin() + static_cast<std::ptrdiff_t>(position_);
    std::vector<int64_t> batch(first, first + static_cast<std::ptrdiff_t>(batch_size_));
    position_ += batch_size_;
    std::sort(batch.begin(), batch.end());
    return batch;
}

void SampleOrder::shuffle() {
    for (size_t last = order_.size(); last > 1; --last) std::swap(order_[last - 1], order_[below(generator_, last)]);
}

uint64_t seed_of_block(uint64_t seed, int64_t block) { return seed + 0x9E3779B97F4A7C15 * static_cast<uint64_t>(block); }

}  // namespace calibench
