#pragma once

#include <QList>
#include <QStringList>

#include <cstdint>

namespace calibench {

/// What a plot shows as numbers, for a spreadsheet or a script: every digit, no grouping, the same in every locale.
struct PlotTable {
    QStringList header;
    QList<QStringList> rows;

    [[nodiscard]] QString text() const;     ///< a line per row, cells between tabs
    [[nodiscard]] QByteArray csv() const;   ///< RFC 4180 in UTF-8, the header first

    [[nodiscard]] static QString cell(double value);  ///< reads back as the same double; "nan" and "inf" where it is none
    [[nodiscard]] static QString cell(int64_t value) { return QString::number(value); }
};

}  // namespace calibench
