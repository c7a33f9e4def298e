#pragma once

#include <QAbstractTableModel>

#include <vector>

#include "core/analysis/weight_inspection.h"

namespace calibench {

/// The channels of a weight that lose most, the worst first.
class ChannelModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { IndexColumn, ShareColumn, SqnrColumn, LargestColumn, NUM_COLUMNS };

    using QAbstractTableModel::QAbstractTableModel;

    void setChannels(std::vector<ChannelError> channels);
    [[nodiscard]] const std::vector<ChannelError>& channels() const { return m_channels; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<ChannelError> m_channels;
};

}  // namespace calibench
