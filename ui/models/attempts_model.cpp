#include "ui/models/attempts_model.h"

#include <utility>

#include "ui/format.h"
#include "ui/theme.h"

namespace calibench {

AttemptsModel::AttemptsModel(const RunRecord& record, QObject* parent) : TableModel(parent), m_record(record) {}

const BlockRecord* AttemptsModel::record() const {
    const auto& blocks = m_record.blocks();
    return m_block >= 0 && static_cast<size_t>(m_block) < blocks.size() ? &blocks[static_cast<size_t>(m_block)] : nullptr;
}

void AttemptsModel::setBlock(int block) {
    if (m_block == block) return;
    if (m_rows > 0) {
        beginRemoveRows({}, 0, m_rows - 1);
        m_rows = 0;
        endRemoveRows();
    }
    m_block = block;
    m_kept = -1;
    refresh();
}

void AttemptsModel::setKeep(BlockOrder::Keep keep) {
    m_keep = keep;
    refresh();
}

void AttemptsModel::refresh() {
    const BlockRecord* block = record();
    const int rows = block ? static_cast<int>(block->attempts.size()) : 0;
    if (rows < m_rows) {  // the block was begun by another run
        beginRemoveRows({}, rows, m_rows - 1);
        m_rows = rows;
        endRemoveRows();
    }
    const int known = m_rows, kept = std::exchange(m_kept, keptAttempt());
    if (rows > m_rows) {
        beginInsertRows({}, m_rows, rows - 1);
        m_rows = rows;
        endInsertRows();
    }
    if (known == 0) return;
    // Only the newest attempt gets losses; the mark of the one to keep may go from any to any.
    const int first = kept == m_kept ? known - 1 : 0;
    Q_EMIT dataChanged(index(first, 0), index(known - 1, NUM_COLUMNS - 1));
}

int AttemptsModel::keptAttempt() const {
    const BlockRecord* block = record();
    if (!block || block->attempts.empty()) return -1;
    if (block->result || m_keep == BlockOrder::Keep::Newest) return block->counted();
    int kept = -1;
    for (int i = 0; i < static_cast<int>(block->attempts.size()); ++i) {
        const auto& best = block->attempts[static_cast<size_t>(i)].best;
        if (best && (kept < 0 || best->y < block->attempts[static_cast<size_t>(kept)].best->y)) kept = i;
    }
    return kept;
}

QVariant AttemptsModel::loss(double value, int role) const {
    if (role == Qt::DisplayRole) return formatNumber(value);
    return role == Qt::ToolTipRole ? QVariant(formatExact(value)) : QVariant();
}

QVariant AttemptsModel::cell(int row, int column, int role) const {
    const BlockRecord* block = record();
    if (!block || static_cast<size_t>(row) >= block->attempts.size()) return {};
    const AttemptRecord& attempt = block->attempts[static_cast<size_t>(row)];
    const bool kept = row == m_kept;
    if (role == Qt::TextAlignmentRole && column != SettingsColumn && column != KeptColumn) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::DecorationRole && column == KeptColumn && kept) return symbolicIcon(QStringLiteral("done"));
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
    switch (column) {
        case AttemptColumn: return role == Qt::DisplayRole ? QVariant(row + 1) : QVariant();
        case SettingsColumn: return row == 0 ? tr("as in the recipe") : QString::fromStdString(attempt.changes);
        case IterationsColumn: {
            const int64_t planned = attempt.iters > 0 ? attempt.iters : m_record.started() ? m_record.started()->iters : 0;
            return tr("%1 of %2").arg(formatCount(static_cast<int64_t>(attempt.losses.size())), formatCount(planned));
        }
        case FirstLossColumn: return attempt.losses.empty() ? QVariant() : loss(attempt.losses.points().front().y, role);
        case BestLossColumn: return attempt.best ? loss(attempt.best->y, role) : QVariant();
        case BestIterationColumn: return attempt.best ? QVariant(formatCount(static_cast<int64_t>(attempt.best->x))) : QVariant();
        case KeptColumn:
            if (!kept) return {};
            if (block->result) return tr("kept");
            return m_keep == BlockOrder::Keep::Newest ? tr("newest") : tr("best so far");
        default: return {};
    }
}

QVariant AttemptsModel::title(int column, int role) const {
    if (role == Qt::ToolTipRole && column == AttemptColumn) return tr("Attempt at this block");
    if (role == Qt::ToolTipRole && column == BestIterationColumn) return tr("Iteration of the best loss");
    if (role != Qt::DisplayRole) return {};
    switch (column) {
        case AttemptColumn: return tr("#");
        case SettingsColumn: return tr("Settings");
        case IterationsColumn: return tr("Iterations");
        case FirstLossColumn: return tr("First loss");
        case BestLossColumn: return tr("Best loss");
        case BestIterationColumn: return tr("At");
        case KeptColumn: return tr("Kept");
        default: return {};
    }
}

}  // namespace calibench
