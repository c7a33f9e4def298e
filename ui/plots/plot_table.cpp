#include "ui/plots/plot_table.h"

#include <QLocale>

namespace calibench {

QString PlotTable::text() const {
    QString out = header.join(QLatin1Char('\t')) + QLatin1Char('\n');
    for (const QStringList& row : rows) out += row.join(QLatin1Char('\t')) + QLatin1Char('\n');
    return out;
}

QString PlotTable::cell(double value) { return QString::number(value, 'g', QLocale::FloatingPointShortest); }

}  // namespace calibench
