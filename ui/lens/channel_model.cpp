#include "ui/lens/channel_model.h"

#include <utility>

#include "ui/format.h"
#include "ui/models/bar_delegate.h"

namespace calibench {

void ChannelModel::setChannels(std::vector<ChannelError> channels) {
    beginResetModel();
    m_channels = std::move(channels);
    endResetModel();
}

QVariant ChannelModel::cell(int row, int column, int role) const {
    const ChannelError& channel = m_channels[static_cast<size_t>(row)];
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role == BarDelegate::BarRole && column == ShareColumn)  // against the worst one: shares of thousands of channels are all small
        return m_channels.front().error_share > 0 ? channel.error_share / m_channels.front().error_share : 0;
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
    const auto format = [role](double value) { return role == Qt::ToolTipRole ? formatExact(value) : formatNumber(value); };
    switch (column) {
        case IndexColumn: return QString::number(channel.index);
        case ShareColumn: return format(100 * channel.error_share);
        case SqnrColumn: return format(channel.sqnr_db);
        case LargestColumn: return format(channel.max_abs_error);
        default: return {};
    }
}

QVariant ChannelModel::title(int column, int role) const {
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    const std::pair<QString, QString> words[] = {{tr("#"), tr("Number of the row or column")},
                                                 {tr("%"), tr("Share of the weight's whole squared error")},
                                                 {tr("dB"), tr("Signal to quantization noise ratio of the channel")},
                                                 {tr("Largest"), tr("Largest error of a single value")}};
    return role == Qt::DisplayRole ? words[column].first : role == Qt::ToolTipRole ? QVariant(words[column].second) : QVariant();
}

}  // namespace calibench
