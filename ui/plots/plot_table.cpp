#include "ui/plots/plot_table.h"

#include <QLocale>

namespace calibench {

QString PlotTable::text() const {
    QString out = header.join(QLatin1Char('\t')) + QLatin1Char('\n');
    for (const QStringList& row : rows) out += row.join(QLatin1Char('\t')) + QLatin1Char('\n');
    return out;
}

QByteArray PlotTable::csv() const {
    QByteArray out;
    const auto addRow = [&out](const QStringList& row) {
        for (qsizetype i = 0; i < row.size(); ++i) {
            QByteArray cell = row[i].toUtf8();
            if (cell.contains(',') || cell.contains('"') || cell.contains('\n') || cell.contains('\r')) cell = '"' + cell.replace("\"", "\"\"") + '"';
            if (i > 0) out += ',';
            out += cell;
        }
        out += "\r\n";
    };
    addRow(header);
    for (const QStringList& row : rows) addRow(row);
    return out;
}

QString PlotTable::cell(double value) { return QString::number(value, 'g', QLocale::FloatingPointShortest); }

}  // namespace calibench
