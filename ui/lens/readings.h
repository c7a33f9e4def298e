#pragma once

#include <QWidget>

#include <vector>

#include "ui/lens/microscope.h"

class QGridLayout;
class QLabel;

namespace calibench {

class ErrorSplit;

/// The numbers of one module, a column for each quantized form on the table, with what became better or worse between them.
class Readings : public QWidget {
    Q_OBJECT

public:
    explicit Readings(QWidget* parent = nullptr);

    void show(const Microscope& microscope);
    [[nodiscard]] QString text(const QString& row, int column) const;  ///< as shown; for tests and for copying
    [[nodiscard]] ErrorSplit* split() const { return m_split; }

private:
    struct Row {
        QLabel *name = nullptr, *values[2] = {nullptr, nullptr};
    };
    void addRow(const QString& name, const QString& help);
    void set(const QString& name, int column, const QString& text, const QString& exact);

    QGridLayout* m_grid;
    std::vector<Row> m_rows;
    QLabel* m_heads[2];
    ErrorSplit* m_split;
};

}  // namespace calibench
