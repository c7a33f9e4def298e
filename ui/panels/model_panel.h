#pragma once

#include <QWidget>

class QLabel;
class QLineEdit;
class QSortFilterProxyModel;
class QTreeView;

namespace calibench {

class ModelTreeModel;
class RunController;
class Session;
class StatePage;

/// The model's blocks and modules with what the recipe and the run make of them.
class ModelPanel : public QWidget {
    Q_OBJECT

public:
    ModelPanel(Session& session, const RunController& controller, QWidget* parent = nullptr);

Q_SIGNALS:
    void openRequested();
    void blockSelected(int block);  ///< -1: a module outside of the blocks, or nothing

private:
    void showModel();
    void showSelection(const QString& module);
    void currentChanged(const QModelIndex& current);
    void copySelection();

    Session& m_session;
    ModelTreeModel* m_model;
    QSortFilterProxyModel* m_filtered;
    QTreeView* m_tree;
    QLabel* m_summary;
    QLineEdit* m_filter;
    StatePage* m_page;
};

}  // namespace calibench
