#pragma once

#include <QAbstractTableModel>

#include <vector>

#include "ui/runs/compared_runs.h"

namespace calibench {

/// What the runs were told to do, and what came of it: a setting a row, a run a column. What differs is marked.
class SettingsComparison : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Role { DiffersRole = Qt::UserRole };

    explicit SettingsComparison(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void setRuns(const std::vector<ComparedRun>& runs, bool onlyDifferences);
    [[nodiscard]] QString plainText() const;  ///< tab-separated, for the clipboard

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

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
