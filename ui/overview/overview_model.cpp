#include "ui/overview/overview_model.h"

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/models/bar_delegate.h"
#include "ui/overview/overview_loader.h"
#include "ui/plots/plot_table.h"

namespace calibench {

namespace {

constexpr double AlarmingBadness = 3;  // dB: half as good as its peers

bool isMetric(int column) { return column >= OverviewModel::FirstMetric && column < OverviewModel::ReasonColumn; }

}  // namespace

OverviewModel::OverviewModel(const OverviewLoader& loader, QObject* parent) : TableModel(parent), m_loader(loader) {
    static_assert(FirstMetric + static_cast<int>(MetricKind::InputOutliers) + 1 == ReasonColumn);
    connect(&loader, &OverviewLoader::modulesChanged, this, &OverviewModel::takeModules);
    connect(&loader, &OverviewLoader::rowsChanged, this, &OverviewModel::takeRows);
    takeModules();
}

void OverviewModel::takeModules() {
    beginResetModel();
    m_rows = static_cast<int>(m_loader.modules().size());
    m_index.clear();
    for (int row = 0; row < m_rows; ++row) m_index.insert(QString::fromStdString(m_loader.modules()[static_cast<size_t>(row)].module), row);
    findLargest();
    endResetModel();
}

void OverviewModel::takeRows(const QList<int>& rows) {
    const std::vector<double> before = m_largest;
    findLargest();
    if (before != m_largest && m_rows > 0) {  // bars of other rows are other parts of the largest now
        Q_EMIT dataChanged(index(0, 0), index(m_rows - 1, NUM_COLUMNS - 1));
        return;
    }
    announce(rows, 0, NUM_COLUMNS - 1);
}

void OverviewModel::findLargest() {
    m_largest.assign(metrics().size(), 0);
    for (int row = 0; row < m_rows; ++row) {
        const auto& known = m_loader.row(static_cast<size_t>(row));
        for (size_t i = 0; known && i < m_largest.size(); ++i)
            if (const auto shown = metrics()[i].shown(*known); shown && std::isfinite(*shown)) m_largest[i] = std::max(m_largest[i], *shown);
    }
}

QModelIndex OverviewModel::indexOf(const QString& module) const {
    const auto row = m_index.constFind(module);
    return row == m_index.constEnd() ? QModelIndex() : index(*row, 0);
}

QVariant OverviewModel::metricData(int row, MetricKind kind, int role) const {
    const auto& known = m_loader.row(static_cast<size_t>(row));
    const std::optional<double> shown = known ? metricOf(kind).shown(*known) : std::nullopt;
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (!shown) return {};
    const double largest = m_largest[static_cast<size_t>(kind)];
    switch (role) {
        case Qt::DisplayRole: return formatNumber(*shown);
        case Qt::ToolTipRole: return formatExact(*shown);
        case SortRole: return *shown;
        case BarDelegate::BarRole: return largest > 0 ? std::clamp(*shown / largest, 0.0, 1.0) : 0.0;
        case BarDelegate::AlarmRole: return kind == MetricKind::Badness && *shown >= AlarmingBadness;
        default: return {};
    }
}

QVariant OverviewModel::cell(int row, int column, int role) const {
    const Specimen& module = m_loader.modules()[static_cast<size_t>(row)];
    const auto& known = m_loader.row(static_cast<size_t>(row));
    if (role == ModuleRole) return QString::fromStdString(module.module);
    if (isMetric(column)) return metricData(row, static_cast<MetricKind>(column - FirstMetric), role);
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole && role != SortRole) return {};
    switch (column) {
        case ModuleColumn:
            if (role == SortRole) return row;  // the model's own order
            return QString::fromStdString(module.module);
        case ReasonColumn: return known ? QString::fromStdString(known->problem.empty() ? known->reason : known->problem) : QString();
        case SchemeColumn: return known ? QString::fromStdString(known->weight.scheme) : QString();
        default: return {};
    }
}

QVariant OverviewModel::title(int column, int role) const {
    if (isMetric(column)) {
        const Metric& shown = metrics()[static_cast<size_t>(column - FirstMetric)];
        if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
        return role == Qt::DisplayRole ? (shown.unit.isEmpty() ? shown.name : tr("%1 %2").arg(shown.name, shown.unit)) : role == Qt::ToolTipRole ? shown.help : QVariant();
    }
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignLeft | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole && column == ReasonColumn) return tr("What sets the module apart from its peers most");
    if (role != Qt::DisplayRole) return {};
    return column == ModuleColumn ? tr("Module") : column == ReasonColumn ? tr("Why") : tr("Scheme");
}

std::optional<double> OverviewModel::number(int row, int column) const {
    const auto& known = m_loader.row(static_cast<size_t>(row));
    return known && isMetric(column) ? metricOf(static_cast<MetricKind>(column - FirstMetric)).shown(*known) : std::nullopt;
}

OverviewFilter::OverviewFilter(OverviewModel& model, QObject* parent) : QSortFilterProxyModel(parent), m_model(model) {
    setSortRole(OverviewModel::SortRole);
    setSourceModel(&m_model);
}

void OverviewFilter::setText(const QString& text) {
    m_text = text;
    invalidateFilter();
}

void OverviewFilter::setLimit(MetricKind kind, const std::optional<double>& shown) {
    m_kind = kind;
    m_limit = shown;
    invalidateFilter();
}

bool OverviewFilter::filterAcceptsRow(int row, const QModelIndex&) const {
    const auto& known = m_model.loader().row(static_cast<size_t>(row));
    if (m_limit) {
        const auto shown = known ? metricOf(m_kind).shown(*known) : std::nullopt;
        if (!shown || !metricOf(m_kind).worse(*shown, *m_limit)) return false;
    }
    if (m_text.isEmpty()) return true;
    for (const int column : {OverviewModel::ModuleColumn, OverviewModel::SchemeColumn, OverviewModel::ReasonColumn})
        if (m_model.index(row, column).data().toString().contains(m_text, Qt::CaseInsensitive)) return true;
    return false;
}

bool OverviewFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
    const QVariant a = left.data(OverviewModel::SortRole), b = right.data(OverviewModel::SortRole);
    if (a.isValid() != b.isValid()) return a.isValid() == (sortOrder() == Qt::AscendingOrder);
    const bool numbers = a.typeId() == QMetaType::Double && b.typeId() == QMetaType::Double;
    if (numbers && a.toDouble() != b.toDouble()) return a.toDouble() < b.toDouble();
    if (!numbers && a != b) return QSortFilterProxyModel::lessThan(left, right);
    return (left.row() < right.row()) == (sortOrder() == Qt::AscendingOrder);  // alike: in the model's order either way
}

}  // namespace calibench
