#pragma once


#include <vector>

#include "ui/models/table_model.h"
#include "ui/runs/compared_runs.h"

namespace calibench {

/// What the runs were told to do, and what came of it: a setting a row, a run a column. What differs is marked.
class SettingsComparison : public TableModel {
    Q_OBJECT

public:
    enum Role { DiffersRole = Qt::UserRole };

    explicit SettingsComparison(QObject* parent = nullptr) : TableModel(parent) {}

    void setRuns(const std::vector<ComparedRun>& runs, bool onlyDifferences);

protected:
    [[nodiscard]] int countRows() const override { return static_cast<int>(m_rows.size()); }
    [[nodiscard]] int countColumns() const override { return 1 + static_cast<int>(m_titles.size()); }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;

private:
    struct Row {
        QString name;
        QStringList values;
        [[nodiscard]] bool differs() const { return values.count(values.value(0)) < values.size(); }
    };

    QStringList m_titles;
    std::vector<Row> m_rows;
};

}  // namespace calibench
