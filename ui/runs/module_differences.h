#pragma once

#include <QWidget>

#include "ui/runs/module_comparison.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QTreeView;

namespace calibench {

class Session;
class TableFilter;

/// The table of a ModuleComparison with its filter and the choice of number; what got worst first. Its selection is the window's.
class ModuleDifferences : public QWidget {
    Q_OBJECT

public:
    /// `session` must outlive this.
    explicit ModuleDifferences(Session& session, QWidget* parent = nullptr);

    void setRuns(const std::vector<ComparedRun>& runs);
    [[nodiscard]] QTreeView* table() const { return m_table; }

private:
    QWidget* makeControls();
    void makeTable();
    void layOutColumns();
    void showState();
    void showSelection(const QString& module);
    void takeSelection();
    void takePicked();
    void copy() const;

    Session& m_session;
    ModuleComparison* m_model;
    TableFilter* m_filtered;
    QTreeView* m_table;
    QLineEdit* m_text;
    QComboBox* m_number;
    QLabel* m_state;
    bool m_following = false;  ///< what changes in the table's selection now is not the user's doing
};

}  // namespace calibench
