#pragma once


#include <vector>

#include "core/analysis/weight_inspection.h"
#include "ui/models/table_model.h"

namespace calibench {

/// The channels of a weight that lose most, the worst first.
class ChannelModel : public TableModel {
    Q_OBJECT

public:
    enum Column { IndexColumn, ShareColumn, SqnrColumn, LargestColumn, NUM_COLUMNS };

    using TableModel::TableModel;

    void setChannels(std::vector<ChannelError> channels);
    [[nodiscard]] const std::vector<ChannelError>& channels() const { return m_channels; }

protected:
    [[nodiscard]] int countRows() const override { return static_cast<int>(m_channels.size()); }
    [[nodiscard]] int countColumns() const override { return NUM_COLUMNS; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;

private:
    std::vector<ChannelError> m_channels;
};

}  // namespace calibench
