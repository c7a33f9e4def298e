#pragma once

#include <QStringList>

#include <string>
#include <vector>

#include "ui/run_record.h"

namespace calibench {

/// Where each module stands on the axis of blocks: block k is at k, its modules share the place around it, and known modules
/// outside of the blocks follow behind the last one under their own names.
class ModulePlaces {
public:
    static constexpr double Nowhere = -1;

    /// Cheap while the record has the same modules as at the last call.
    void update(const RunRecord& record);
    void forget() { m_count = 0; }  ///< the record may be of another model

    [[nodiscard]] double key(size_t module) const { return m_keys[module]; }
    [[nodiscard]] size_t projection(size_t module) const { return m_projectionOf[module]; }
    [[nodiscard]] size_t size() const { return m_keys.size(); }
    [[nodiscard]] const std::vector<std::string>& projections() const { return m_projections; }  ///< in order of appearance
    [[nodiscard]] const QStringList& labels() const { return m_labels; }  ///< of the whole numbers on the axis
    [[nodiscard]] double width() const { return m_width; }                ///< of one module

private:
    [[nodiscard]] static bool isPlaced(const ModuleRecord& module);

    std::vector<double> m_keys;
    std::vector<size_t> m_projectionOf;
    std::vector<std::string> m_projections;
    QStringList m_labels;
    double m_width = 1;
    size_t m_count = 0, m_countPlaced = 0;
};

}  // namespace calibench
