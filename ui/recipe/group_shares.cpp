#include "ui/recipe/group_shares.h"

#include <numeric>
#include <unordered_map>

#include "ui/session.h"

namespace calibench {

void GroupShares::take(const Session& session) {
    m_shares.clear();
    std::unordered_map<std::string, const ModuleInfo*> infos;
    for (const ModuleInfo& module : session.model().modules) infos[module.name] = &module;
    for (const ResolvedModule& module : session.resolvedModules()) {
        Share& share = m_shares[{module.modifier, module.config_group}];
        share.modules << QString::fromStdString(module.name);
        const auto info = infos.find(module.name);
        if (info == infos.end() || info->second->shape.empty()) continue;
        share.columns = std::gcd(share.columns, info->second->shape.back());
        share.rows = std::gcd(share.rows, info->second->shape.front());
    }
}

GroupShares::Share GroupShares::of(size_t modifier, const std::string& group) const {
    const auto found = m_shares.find({modifier, group});
    return found == m_shares.end() ? Share() : found->second;
}

std::vector<int64_t> groupSizesThatFit(int64_t divisor) {
    std::vector<int64_t> sizes;
    for (const int64_t size : {256, 128, 64, 32, 16})
        if (divisor % size == 0) sizes.push_back(size);
    return sizes;
}

}  // namespace calibench
