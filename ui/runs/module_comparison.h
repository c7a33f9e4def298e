#pragma once

#include <QAbstractTableModel>
#include <QHash>

#include <optional>
#include <vector>

#include "ui/runs/compared_runs.h"

namespace calibench {

/// One number of every module in each of the runs, and how much it differs from the base's.
class ModuleComparison : public QAbstractTableModel {
    Q_OBJECT

public:
    enum class Number { WeightSqnr, OutputSqnr, LocalSqnr, InheritedSqnr, WeightRange, InputRange, Tokens };
    static constexpr int CountNumbers = 7;
    [[nodiscard]] static QString nameOf(Number number);
    [[nodiscard]] static QString helpOf(Number number);

    enum Column { Module, Scheme, FirstValue };  ///< then the base's number, and for each other run its number and its difference
    enum Role { SortRole = Qt::UserRole, ModuleRole };

    explicit ModuleComparison(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void setRuns(const std::vector<ComparedRun>& runs);
    void setNumber(Number number);
    [[nodiscard]] QModelIndex indexOf(const QString& module) const;
    /// The column of a run's number; of its difference where `difference`, which the base has none of.
    [[nodiscard]] static int columnOf(size_t run, bool difference = false) { return run == 0 ? FirstValue : FirstValue + 2 * static_cast<int>(run) - (difference ? 0 : 1); }
    /// Tab-separated raw values under a line of titles, for the clipboard.
    [[nodiscard]] QString plainText(const QList<int>& rows) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Row {
        QString module;
        std::vector<const ModuleOutcome*> runs;  ///< null where a run does not know the module
    };
    [[nodiscard]] std::optional<double> value(const Row& row, size_t run) const;
    [[nodiscard]] std::optional<double> difference(const Row& row, size_t run) const;
    [[nodiscard]] QVariant numberData(const Row& row, int column, int role) const;
    [[nodiscard]] QString schemeText(const Row& row) const;
    void findLargest();

    std::vector<ComparedRun> m_runs;
    std::vector<Row> m_rows;
    QHash<QString, int> m_index;
    Number m_number = Number::WeightSqnr;
    double m_largest = 0, m_largestDifference = 0;  ///< finite: a whole cell's bar
};

}  // namespace calibench
