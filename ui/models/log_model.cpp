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

QVariant LogModel::cell(int row, int column, int role) const {
    const Entry& entry = m_entries[static_cast<size_t>(row)];
    if (role == ModuleRole) return entry.module;
    if (role == Qt::ForegroundRole) {
        const QPalette palette = QApplication::palette();
        if (column == TimeColumn || column == ModuleColumn) return mutedText(palette);
        if (entry.severity == Severity::Error) return errorColour(palette);
    }
    if (role == Qt::DecorationRole && column == MessageColumn)
        return symbolicIcon(entry.severity == Severity::Info ? QStringLiteral("info") : QStringLiteral("warning"));
    if (role == Qt::ToolTipRole) return entry.message;
    if (role != Qt::DisplayRole) return {};
    switch (column) {
        case TimeColumn: return entry.time.toString(QStringLiteral("HH:mm:ss"));
        case MessageColumn: return entry.message;
        case ModuleColumn: return entry.module;
        default: return {};
    }
}

QVariant LogModel::title(int column, int role) const {
    if (role != Qt::DisplayRole) return {};
    switch (column) {
        case TimeColumn: return tr("Time");
        case MessageColumn: return tr("Message");
        case ModuleColumn: return tr("Module");
        default: return {};
    }
}

}  // namespace calibench
