#pragma once

#include <cstdint>
#include <vector>

#include "ui/run_record.h"

namespace calibench {

/// Tokens by block and expert: the largest count of the expert's modules.
struct TokenGrid {
    static constexpr int64_t Unknown = -1;

    int blocks = 0, experts = 0;
    std::vector<int64_t> tokens;  ///< [blocks, experts]
    std::vector<int> modules;     ///< [blocks, experts]: index of the expert's first module in the record; -1: none
    std::vector<int64_t> blockTotals, expertTotals;

    [[nodiscard]] static TokenGrid of(const RunRecord& record);

    [[nodiscard]] int64_t at(int block, int expert) const { return tokens[static_cast<size_t>(block * experts + expert)]; }
    [[nodiscard]] int64_t largest() const;
    [[nodiscard]] double shareOfBlock(int block, int expert) const;  ///< 0 .. 1
    [[nodiscard]] double timesMean(int block, int expert) const;     ///< 1: as many as the block's experts on average
    /// Sees less than `percent` of the block's mean.
    [[nodiscard]] bool starved(int block, int expert, int percent) const;
};

}  // namespace calibench
