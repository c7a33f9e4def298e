#pragma once

#include <span>

#include "core/analysis/overview.h"

namespace calibench {

/// In dB, of what is broken altogether; stands for infinity.
inline constexpr double most_badness = 200;

/// Fills in badness and reason of every module, each held against its peers: the modules of the same name but for the numbers of block and
/// expert, with the same scheme, or all modules with the scheme where those are fewer than three. Quality differs by nature between
/// projections and schemes, so that only the difference to peers tells a fault.
/// The badness of modules with a problem is left alone.
void judge_modules(std::span<ModuleOverview> modules);

}  // namespace calibench
