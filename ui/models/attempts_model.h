#pragma once


#include "core/base/run_control.h"
#include "ui/models/table_model.h"
#include "ui/run_record.h"

namespace calibench {

/// What was tried with one block, a row for each attempt. Reads the record; refresh() says what changed in it.
class AttemptsModel : public TableModel {
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

protected:
    [[nodiscard]] int countRows() const override { return m_rows; }
    [[nodiscard]] int countColumns() const override { return NUM_COLUMNS; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;

private:
    [[nodiscard]] QVariant loss(double value, int role) const;  ///< short to see, with all digits to hover

    const RunRecord& m_record;
    int m_block = -1;
    int m_rows = 0;
    int m_kept = -1;
    BlockOrder::Keep m_keep = BlockOrder::Keep::Better;
};

}  // namespace calibench
