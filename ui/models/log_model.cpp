#include "ui/models/log_model.h"

#include <QApplication>
#include <QPalette>
#include <QStringList>

#include "ui/theme.h"

namespace calibench {

void LogModel::add(Severity severity, const QString& message, const QString& module) {
    const int row = rowCount();
    beginInsertRows({}, row, row);
    m_entries.push_back({QTime::currentTime(), severity, message, module});
    endInsertRows();
}

void LogModel::clear() {
    beginResetModel();
    m_entries.clear();
    endResetModel();
}

QString LogModel::plainText(const QModelIndexList& rows) const {
    QStringList lines;
    for (const QModelIndex& row : rows) {
        QStringList cells;
        for (int column = 0; column < NUM_COLUMNS; ++column) cells << row.siblingAtColumn(column).data().toString();
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n')) + QLatin1Char('\n');
}

int LogModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(m_entries.size()); }

int LogModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : NUM_COLUMNS; }

QVariant LogModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const Entry& entry = m_entries[static_cast<size_t>(index.row())];
    if (role == ModuleRole) return entry.module;
    if (role == Qt::ForegroundRole) {
        const QPalette palette = QApplication::palette();
        if (index.column() == TimeColumn || index.column() == ModuleColumn) return mutedText(palette);
        if (entry.severity == Severity::Error) return errorColour(palette);
    }
    if (role == Qt::DecorationRole && index.column() == MessageColumn)
        return symbolicIcon(entry.severity == Severity::Info ? QStringLiteral("info") : QStringLiteral("warning"));
    if (role == Qt::ToolTipRole) return entry.message;
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case TimeColumn: return entry.time.toString(QStringLiteral("HH:mm:ss"));
        case MessageColumn: return entry.message;
        case ModuleColumn: return entry.module;
        default: return {};
    }
}

QVariant LogModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case TimeColumn: return tr("Time");
        case MessageColumn: return tr("Message");
        case ModuleColumn: return tr("Module");
        default: return {};
    }
}

}  // namespace calibench
