#pragma once

#include <QAbstractTableModel>

#include "core/base/run_control.h"
#include "ui/run_record.h"

namespace calibench {

/// What was tried with one block, a row for each attempt. Reads the record; refresh() says what changed in it.
class AttemptsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { AttemptColumn, SettingsColumn, IterationsColumn, FirstLossColumn, BestLossColumn, BestIterationColumn, KeptColumn, NUM_COLUMNS };

    /// `record` must outlive the model.
    explicit AttemptsModel(const RunRecord& record, QObject* parent = nullptr);

    void setBlock(int block);  ///< -1: none
    [[nodiscard]] int block() const { return m_block; }
    [[nodiscard]] const BlockRecord* record() const;  ///< of that block; null when there is none
    void setKeep(BlockOrder::Keep keep);
    void refresh();
    /// The attempt that was kept, or would be if the block came to its end now; -1 before the first loss.
    [[nodiscard]] int keptAttempt() const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    [[nodiscard]] QVariant number(double value, int role) const;  ///< short to see, with all digits to hover

    const RunRecord& m_record;
    int m_block = -1;
    int m_rows = 0;
    int m_kept = -1;
    BlockOrder::Keep m_keep = BlockOrder::Keep::Better;
};

}  // namespace calibench
