#include "ui/runs/module_comparison.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "ui/format.h"
#include "ui/models/bar_delegate.h"

namespace calibench {

namespace {

using Number = ModuleComparison::Number;

const std::optional<TensorRange>& rangeOf(const ModuleOutcome& module, Number number) {
    return number == Number::WeightRange ? module.weight_range : module.input_range;
}

std::optional<double> numberOf(const ModuleOutcome& module, Number number) {
    switch (number) {
        case Number::WeightSqnr: return module.weight_sqnr_db;
        case Number::OutputSqnr: return module.output_sqnr_db;
        case Number::LocalSqnr: return module.local_sqnr_db;
        case Number::InheritedSqnr: return module.inherited_sqnr_db;
        case Number::WeightRange:
        case Number::InputRange: {
            const auto& range = rangeOf(module, number);
            return range ? std::optional(std::max(std::abs(range->min), std::abs(range->max))) : std::nullopt;
        }
        case Number::Tokens: break;
    }
    return module.tokens ? std::optional(static_cast<double>(*module.tokens)) : std::nullopt;
}

bool isRange(Number number) { return number == Number::WeightRange || number == Number::InputRange; }
bool lowIsBad(Number number) { return number <= Number::InheritedSqnr; }

}  // namespace

QString ModuleComparison::nameOf(Number number) {
    switch (number) {
        case Number::WeightSqnr: return tr("SQNR of the weight");
        case Number::OutputSqnr: return tr("SQNR of the output");
        case Number::LocalSqnr: return tr("Output, own error");
        case Number::InheritedSqnr: return tr("Output, inherited error");
        case Number::WeightRange: return tr("Range of the weight");
        case Number::InputRange: return tr("Range of the inputs");
        case Number::Tokens: break;
    }
    return tr("Tokens seen");
}

QString ModuleComparison::helpOf(Number number) {
    switch (number) {
        case Number::WeightSqnr: return tr("Signal to quantization noise of the weight, in dB");
        case Number::OutputSqnr: return tr("Signal to noise of the module's output, in dB: with everything before it quantized too");
        case Number::LocalSqnr: return tr("Signal to noise of the module's output, in dB, had only its own weight been quantized");
        case Number::InheritedSqnr: return tr("Signal to noise of the module's output, in dB, had only what comes before it been quantized");
        case Number::WeightRange: return tr("Largest magnitude of the weight's values; the range itself is in the cell's tooltip");
        case Number::InputRange: return tr("Largest magnitude of the inputs; the range itself is in the cell's tooltip");
        case Number::Tokens: break;
    }
    return tr("Tokens of the calibration text that the module has seen");
}

void ModuleComparison::setRuns(const std::vector<ComparedRun>& runs) {
    beginResetModel();
    m_runs = runs;
    m_rows.clear();
    m_index.clear();
    std::unordered_map<std::string, size_t> places;
    for (size_t run = 0; run < m_runs.size(); ++run) {
        if (!m_runs[run].facts) continue;
        for (const auto& [name, module] : m_runs[run].facts->modules) {
            const auto [place, isNew] = places.try_emplace(name, m_rows.size());
            if (isNew) m_rows.push_back({QString::fromStdString(name), std::vector<const ModuleOutcome*>(m_runs.size())});
            m_rows[place->second].runs[run] = &module;
        }
    }
    for (size_t row = 0; row < m_rows.size(); ++row) m_index.insert(m_rows[row].module, static_cast<int>(row));
    findLargest();
    endResetModel();
}

void ModuleComparison::setNumber(Number number) {
    m_number = number;
    findLargest();
    if (!m_rows.empty()) Q_EMIT dataChanged(index(0, FirstValue), index(rowCount() - 1, columnCount() - 1));
}

void ModuleComparison::findLargest() {
    m_largest = m_largestDifference = 0;
    for (const Row& row : m_rows)
        for (size_t run = 0; run < m_runs.size(); ++run) {
            if (const auto known = value(row, run); known && std::isfinite(*known)) m_largest = std::max(m_largest, *known);
            if (const auto known = difference(row, run); known && std::isfinite(*known)) m_largestDifference = std::max(m_largestDifference, std::abs(*known));
        }
}

QModelIndex ModuleComparison::indexOf(const QString& module) const {
    const auto row = m_index.constFind(module);
    return row == m_index.constEnd() ? QModelIndex() : index(*row, 0);
}

ModuleComparison::Place ModuleComparison::placeOf(int column) {
    const size_t run = static_cast<size_t>(column - FirstValue + 1) / 2;
    return {run, run > 0 && column == columnOf(run, true)};
}

std::optional<double> ModuleComparison::value(const Row& row, size_t run) const {
    const ModuleOutcome* module = row.runs[run];
    return module ? numberOf(*module, m_number) : std::nullopt;
}

std::optional<double> ModuleComparison::difference(const Row& row, size_t run) const {
    if (run == 0) return {};
    const auto base = value(row, 0), other = value(row, run);
    if (!base || !other) return {};
    return *base == *other ? 0 : *other - *base;  // two that lose nothing are alike
}

QString ModuleComparison::schemeText(const Row& row) const {
    QStringList schemes;
    for (const ModuleOutcome* module : row.runs) {
        const QString scheme = !module ? tr("not there") : module->scheme.empty() ? tr("as it was") : QString::fromStdString(module->scheme);
        if (schemes.isEmpty() || schemes.constLast() != scheme) schemes << scheme;
    }
    return schemes.join(QStringLiteral(" → "));
}

std::optional<double> ModuleComparison::number(int row, int column) const {
    if (column < FirstValue) return {};
    const auto [run, isDifference] = placeOf(column);
    return isDifference ? difference(m_rows[static_cast<size_t>(row)], run) : value(m_rows[static_cast<size_t>(row)], run);
}

QVariant ModuleComparison::numberData(int row, int column, int role) const {
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    const std::optional<double> known = number(row, column);
    if (!known) return {};
    const auto [run, isDifference] = placeOf(column);
    const double largest = isDifference ? m_largestDifference : m_largest;
    switch (role) {
        case Qt::DisplayRole: return isDifference && *known > 0 ? QLatin1Char('+') + formatNumber(*known) : formatNumber(*known);
        case Qt::ToolTipRole:
            if (isRange(m_number) && !isDifference) {
                const auto& range = *rangeOf(*m_rows[static_cast<size_t>(row)].runs[run], m_number);
                return formatExactRange(range.min, range.max);
            }
            return formatExact(*known);
        case SortRole: return *known;
        case BarDelegate::BarRole: return largest > 0 && std::abs(*known) > 0 ? QVariant(std::clamp(std::abs(*known) / largest, 0.0, 1.0)) : QVariant();
        case BarDelegate::AlarmRole: return isDifference && *known < 0 && lowIsBad(m_number);
        default: return {};
    }
}

QVariant ModuleComparison::cell(int index, int column, int role) const {
    const Row& row = m_rows[static_cast<size_t>(index)];
    if (role == ModuleRole) return row.module;
    if (column >= FirstValue) return numberData(index, column, role);
    switch (role) {
        case Qt::DisplayRole:
        case Qt::ToolTipRole: return column == Module ? row.module : schemeText(row);
        case SortRole: return column == Module ? QVariant(static_cast<double>(index)) : schemeText(row);  // the model's own order
        default: return {};
    }
}

QVariant ModuleComparison::title(int column, int role) const {
    if (role == Qt::TextAlignmentRole) return int((column < FirstValue ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (column < FirstValue) return role == Qt::DisplayRole ? (column == Module ? tr("Module") : tr("Scheme")) : QVariant();
    const auto [run, isDifference] = placeOf(column);
    if (role == Qt::DisplayRole) return isDifference ? tr("%1 − A").arg(letterOf(run)) : letterOf(run);
    if (role == Qt::ToolTipRole) return tr("%1\n%2").arg(m_runs[run].known.title(), helpOf(m_number));
    return {};
}

}  // namespace calibench
