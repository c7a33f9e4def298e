#pragma once

#include <QTime>

#include <vector>

#include "ui/models/table_model.h"

namespace calibench {

/// What happened, newest last.
class LogModel : public TableModel {
    Q_OBJECT

public:
    enum class Severity { Info, Error };
    enum Column { TimeColumn, MessageColumn, ModuleColumn, NUM_COLUMNS };
    enum Role { ModuleRole = Qt::UserRole };

    using TableModel::TableModel;

    void add(Severity severity, const QString& message, const QString& module = {});
    void clear();

protected:
    [[nodiscard]] int countRows() const override { return static_cast<int>(m_entries.size()); }
    [[nodiscard]] int countColumns() const override { return NUM_COLUMNS; }
    [[nodiscard]] QVariant cell(int row, int column, int role) const override;
    [[nodiscard]] QVariant title(int column, int role) const override;

private:
    struct Entry {
        QTime time;
        Severity severity = Severity::Info;
        QString message, module;
    };

    std::vector<Entry> m_entries;
};

}  // namespace calibench
