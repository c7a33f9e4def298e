#pragma once

#include <QHash>

#include <optional>
#include <vector>

#include "ui/models/table_model.h"
#include "ui/runs/compared_runs.h"

namespace calibench {

/// One number of every module in each of the runs, and how much it differs from the base's.
class ModuleComparison : public TableModel {
    Q_OBJECT

public:
    enum class Number { WeightSqnr, OutputSqnr, LocalSqnr, InheritedSqnr, WeightRange, InputRange, Tokens };
    static constexpr int CountNumbers = 7;
    [[nodiscard]] static QString nameOf(Number number);
    [[nodiscard]] static QString helpOf(Number number);

    enum Column { Module, Scheme, FirstValue };  ///< then the base's number, and for each other run its number and its difference
    enum Role { SortRole = Qt::UserRole, ModuleRole };

    explicit ModuleComparison(QObject* parent = nullptr) : TableModel(parent) {}

    void setRuns(const std::vector<ComparedRun>& runs);
    void setNumber(Number number);
    [[nodiscard]] QModelIndex indexOf(const QString& module) const;
    /// The column of a run's number; of its difference where `difference`, which the base has none of.
    [[nodiscard]] static int columnOf(size_t run, bool difference = false) { return run == 0 ? FirstValue : FirstValue + 2 * static_cast<int>(run) - (difference ? 0 : 1); }

protected:
    [[nodiscard]] int countRows() const override { return static_cast<int>(m_rows.size()); }
    [[nodiscard]] int countColumns() const override { return m_runs.empty() ? static_cast<int>(FirstValue) : columnOf(m_runs.size() - 1, true) + 1; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;
    [[nodiscard]] std::optional<double> number(int row, int column) const override;

private:
    struct Row {
        QString module;
        std::vector<const ModuleOutcome*> runs;  ///< null where a run does not know the module
    };
    /// Which run a column is of, and whether it is of a difference.
    struct Place {
        size_t run;
        bool isDifference;
    };
    [[nodiscard]] static Place placeOf(int column);
    [[nodiscard]] std::optional<double> value(const Row& row, size_t run) const;
    [[nodiscard]] std::optional<double> difference(const Row& row, size_t run) const;
    [[nodiscard]] QVariant numberData(int row, int column, int role) const;
    [[nodiscard]] QString schemeText(const Row& row) const;
    void findLargest();

    std::vector<ComparedRun> m_runs;
    std::vector<Row> m_rows;
    QHash<QString, int> m_index;
    Number m_number = Number::WeightSqnr;
    double m_largest = 0, m_largestDifference = 0;  ///< finite: a whole cell's bar
};

}  // namespace calibench
