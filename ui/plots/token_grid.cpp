#include "ui/plots/token_grid.h"

#include <algorithm>

namespace calibench {

TokenGrid TokenGrid::of(const RunRecord& record) {
    TokenGrid grid;
    grid.blocks = static_cast<int>(record.blocks().size());
    grid.experts = record.numExperts();
    const auto cells = static_cast<size_t>(grid.blocks) * static_cast<size_t>(grid.experts);
    grid.tokens.assign(cells, Unknown);
    grid.modules.assign(cells, -1);
    for (size_t i = 0; i < record.modules().size(); ++i) {
        const ModuleRecord& module = record.modules()[i];
        if (module.expert < 0 || module.block < 0 || module.block >= grid.blocks) continue;
        const auto cell = static_cast<size_t>(module.block * grid.experts + module.expert);
        if (grid.modules[cell] < 0) grid.modules[cell] = static_cast<int>(i);
        if (module.tokens) grid.tokens[cell] = std::max(grid.tokens[cell], *module.tokens);
    }
    grid.blockTotals.assign(static_cast<size_t>(grid.blocks), 0);
    grid.expertTotals.assign(static_cast<size_t>(grid.experts), 0);
    for (int block = 0; block < grid.blocks; ++block)
        for (int expert = 0; expert < grid.experts; ++expert) {
            const int64_t known = std::max<int64_t>(0, grid.at(block, expert));
            grid.blockTotals[static_cast<size_t>(block)] += known;
            grid.expertTotals[static_cast<size_t>(expert)] += known;
        }
    return grid;
}

int64_t TokenGrid::largest() const { return tokens.empty() ? 0 : std::max<int64_t>(0, *std::max_element(tokens.begin(), tokens.end())); }

double TokenGrid::shareOfBlock(int block, int expert) const {
    const auto total = static_cast<double>(blockTotals[static_cast<size_t>(block)]);
    return total > 0 ? static_cast<double>(std::max<int64_t>(0, at(block, expert))) / total : 0;
}

double TokenGrid::timesMean(int block, int expert) const { return shareOfBlock(block, expert) * experts; }

bool TokenGrid::starved(int block, int expert, int percent) const {
    return blockTotals[static_cast<size_t>(block)] > 0 && 100 * timesMean(block, expert) < percent;
}

}  // namespace calibench
