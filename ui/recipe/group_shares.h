#pragma once

#include <QStringList>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace calibench {

class Session;

/// What the config groups of a recipe got of the open model when it was checked last.
class GroupShares {
public:
    struct Share {
        QStringList modules;
        int64_t columns = 0, rows = 0;  ///< greatest common divisors of the modules' extents; 0: not known
    };

    void take(const Session& session);
    /// Empty for a group that got nothing.
    [[nodiscard]] Share of(size_t modifier, const std::string& group) const;

private:
    std::map<std::pair<size_t, std::string>, Share> m_shares;  ///< by modifier and config group
};

/// Sizes of groups that divide every extent which `divisor` divides, the largest first.
[[nodiscard]] std::vector<int64_t> groupSizesThatFit(int64_t divisor);

}  // namespace calibench
