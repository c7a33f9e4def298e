#include "ui/plots/module_places.h"

#include <algorithm>
#include <unordered_map>

namespace calibench {

/// An output layer that is left alone takes no place.
bool ModulePlaces::isPlaced(const ModuleRecord& module) { return module.block >= 0 || module.weight || module.input; }

void ModulePlaces::update(const RunRecord& record) {
    const std::vector<ModuleRecord>& modules = record.modules();
    const auto placed = static_cast<size_t>(std::count_if(modules.begin(), modules.end(), isPlaced));
    if (modules.size() == m_count && placed == m_countPlaced) return;
    m_count = modules.size();
    m_countPlaced = placed;

    std::vector<int> sizes(record.blocks().size(), 0), used(record.blocks().size(), 0);
    for (const ModuleRecord& module : modules)
        if (module.block >= 0 && static_cast<size_t>(module.block) < sizes.size()) ++sizes[static_cast<size_t>(module.block)];
    const int largest = sizes.empty() ? 1 : std::max(1, *std::max_element(sizes.begin(), sizes.end()));
    m_width = 1.0 / (largest + 1);  // one empty place between two blocks

    m_labels.clear();
    for (size_t block = 0; block < sizes.size(); ++block) m_labels << QString::number(block);
    m_keys.clear();
    m_projectionOf.clear();
    m_projections.clear();
    std::unordered_map<std::string, size_t> known;
    for (const ModuleRecord& module : modules) {
        double key = Nowhere;
        if (module.block >= 0 && static_cast<size_t>(module.block) < sizes.size()) {
            const auto block = static_cast<size_t>(module.block);
            key = module.block + (used[block]++ - (sizes[block] - 1) / 2.0) * m_width;
        } else if (isPlaced(module)) {
            key = static_cast<double>(m_labels.size());
            m_labels << QString::fromStdString(module.projection);
        }
        m_keys.push_back(key);
        if (key == Nowhere) {
            m_projectionOf.push_back(0);
            continue;
        }
        const auto [projection, isNew] = known.try_emplace(module.projection, m_projections.size());
        if (isNew) m_projections.push_back(module.projection);
        m_projectionOf.push_back(projection->second);
    }
}

}  // namespace calibench
