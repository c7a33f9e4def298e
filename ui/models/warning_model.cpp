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
    QList<int> repeated;
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
            repeated << *known;
        }
    }
    std::sort(repeated.begin(), repeated.end());
    repeated.erase(std::unique(repeated.begin(), repeated.end()), repeated.end());
    announce(repeated, CountColumn, CountColumn);
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

void WarningModel::setIgnored(const QList<int>& rows, bool ignored) {
    QList<int> changed;
    for (const int index : rows) {
        Row& row = m_rows[static_cast<size_t>(index)];
        if (row.ignored == ignored) continue;
        row.ignored = ignored;
        m_ignored += ignored ? 1 : -1;
        changed << index;
    }
    if (changed.empty()) return;
    std::sort(changed.begin(), changed.end());
    announce(changed, KindColumn, TimeColumn);
    Q_EMIT countChanged();
}

void WarningModel::ignoreKind(Kind kind) {
    QList<int> rows;
    for (int i = 0; i < rowCount(); ++i)
        if (m_rows[static_cast<size_t>(i)].kind == kind) rows << i;
    setIgnored(rows, true);
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

QVariant WarningModel::cell(int index, int column, int role) const {
    const Row& row = m_rows[static_cast<size_t>(index)];
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

std::optional<double> WarningModel::number(int row, int column) const {
    return column == CountColumn ? std::optional<double>(m_rows[static_cast<size_t>(row)].count) : std::nullopt;
}

QVariant WarningModel::title(int column, int role) const {
    if (role != Qt::DisplayRole) return {};
    switch (column) {
        case KindColumn: return tr("Kind");
        case ModuleColumn: return tr("Module");
        case MessageColumn: return tr("Warning");
        case CountColumn: return tr("Times");
        case TimeColumn: return tr("Time");
        default: return {};
    }
}

}  // namespace calibench
