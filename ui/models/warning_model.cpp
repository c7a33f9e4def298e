#include "ui/models/warning_model.h"

#include <QApplication>
#include <QPalette>
#include <QStringList>

#include <algorithm>

#include "ui/format.h"
#include "ui/theme.h"

namespace calibench {

using Kind = Warning::Kind;

void WarningModel::add(const std::vector<Warning>& warnings) {
    const auto now = QTime::currentTime();
    const int before = rowCount();
    std::vector<Row> added;
    std::vector<int> repeated;
    for (const Warning& warning : warnings) {
        Row row{.kind = warning.kind, .module = QString::fromStdString(warning.module), .message = QString::fromStdString(warning.message), .time = now};
        const int next = before + static_cast<int>(added.size());
        const auto key = std::make_pair(row.module, row.message);
        if (const auto known = m_known.constFind(key); known == m_known.constEnd()) {
            m_known.insert(key, next);
            added.push_back(std::move(row));
        } else if (*known >= before) {
            ++added[static_cast<size_t>(*known - before)].count;
        } else {
            ++m_rows[static_cast<size_t>(*known)].count;
            repeated.push_back(*known);
        }
    }
    announce(std::move(repeated), CountColumn, CountColumn);
    if (added.empty()) return;
    beginInsertRows({}, before, before + static_cast<int>(added.size()) - 1);
    std::move(added.begin(), added.end(), std::back_inserter(m_rows));
    endInsertRows();
    Q_EMIT countChanged();
}

void WarningModel::clear() {
    if (m_rows.empty()) return;
    beginResetModel();
    m_rows.clear();
    m_known.clear();
    m_ignored = 0;
    endResetModel();
    Q_EMIT countChanged();
}

void WarningModel::setIgnored(const std::vector<int>& rows, bool ignored) {
    std::vector<int> changed;
    for (const int index : rows) {
        Row& row = m_rows[static_cast<size_t>(index)];
        if (row.ignored == ignored) continue;
        row.ignored = ignored;
        m_ignored += ignored ? 1 : -1;
        changed.push_back(index);
    }
    if (changed.empty()) return;
    announce(std::move(changed), KindColumn, TimeColumn);
    Q_EMIT countChanged();
}

void WarningModel::ignoreKind(Kind kind) {
    std::vector<int> rows;
    for (int i = 0; i < rowCount(); ++i)
        if (m_rows[static_cast<size_t>(i)].kind == kind) rows.push_back(i);
    setIgnored(rows, true);
}

void WarningModel::announce(std::vector<int> rows, Column first, Column last) {
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
        while (end < rows.size() && rows[end] - rows[begin] == static_cast<int>(end - begin)) ++end;
        Q_EMIT dataChanged(index(rows[begin], first), index(rows[end - 1], last));
    }
}

QString WarningModel::nameOf(Kind kind) {
    switch (kind) {
        case Kind::General: return tr("General");
        case Kind::NotFinite: return tr("Not finite");
        case Kind::Plateau: return tr("Plateau");
        case Kind::ClippedRange: return tr("Clipped range");
        case Kind::Outliers: return tr("Outliers");
        case Kind::StarvedExpert: return tr("Starved expert");
    }
    return {};
}

QIcon WarningModel::iconOf(Kind kind) {
    switch (kind) {
        case Kind::General: break;
        case Kind::NotFinite: return symbolicIcon(QStringLiteral("not_finite"));
        case Kind::Plateau: return symbolicIcon(QStringLiteral("plateau"));
        case Kind::ClippedRange: return symbolicIcon(QStringLiteral("clipped"));
        case Kind::Outliers: return symbolicIcon(QStringLiteral("outliers"));
        case Kind::StarvedExpert: return symbolicIcon(QStringLiteral("starved"));
    }
    return symbolicIcon(QStringLiteral("warning"));
}

QString WarningModel::plainText(const std::vector<int>& rows) const {
    QStringList cells, lines;
    for (int column = 0; column < NUM_COLUMNS; ++column) cells << headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    lines << cells.join(QLatin1Char('\t'));
    for (const int row : rows) {
        cells.clear();
        for (int column = 0; column < NUM_COLUMNS; ++column) cells << index(row, column).data(SortRole).toString();
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n')) + QLatin1Char('\n');
}

int WarningModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_rows.size()); }

int WarningModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : NUM_COLUMNS; }

QString WarningModel::text(const Row& row, int column) const {
    switch (column) {
        case KindColumn: return row.ignored ? tr("%1, ignored").arg(nameOf(row.kind)) : nameOf(row.kind);
        case ModuleColumn: return row.module;
        case MessageColumn: return row.message;
        case CountColumn: return row.count > 1 ? QStringLiteral("× ") + formatCount(row.count) : QString();
        case TimeColumn: return row.time.toString(QStringLiteral("HH:mm:ss"));
        default: return {};
    }
}

QVariant WarningModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Row& row = m_rows[static_cast<size_t>(index.row())];
    const int column = index.column();
    switch (role) {
        case Qt::DisplayRole: return text(row, column);
        case SortRole: return column == CountColumn ? QVariant(row.count) : QVariant(text(row, column));
        case KindRole: return static_cast<int>(row.kind);
        case ModuleRole: return row.module;
        case IgnoredRole: return row.ignored;
        case Qt::ToolTipRole: return row.message;
        case Qt::DecorationRole: return column == KindColumn ? QVariant(iconOf(row.kind)) : QVariant();
        case Qt::ForegroundRole:
            if (row.ignored || column == CountColumn || column == TimeColumn) return mutedText(QApplication::palette());
            return column == KindColumn ? QVariant(warningColour(QApplication::palette())) : QVariant();
        default: return {};
    }
}

QVariant WarningModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case KindColumn: return tr("Kind");
        case ModuleColumn: return tr("Module");
        case MessageColumn: return tr("Warning");
        case CountColumn: return tr("Times");
        case TimeColumn: return tr("Time");
        default: return {};
    }
}

}  // namespace calibench
