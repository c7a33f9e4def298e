#pragma once

#include <QModelIndex>
#include <QSet>
#include <QWidget>

class QAction;
class QLabel;
class QLineEdit;
class QTreeView;

namespace calibench {

class ModelTreeModel;
class ModuleActions;
class ModuleFilter;
class RunController;
class Session;
class StatePage;

/// The model's blocks and modules with what the recipe and the run make of them, and the place to change the recipe for some of
/// them.
class ModelPanel : public QWidget {
    Q_OBJECT

public:
    ModelPanel(Session& session, const RunController& controller, QWidget* parent = nullptr);

    [[nodiscard]] QTreeView* tree() const { return m_tree; }
    [[nodiscard]] QLineEdit* filter() const { return m_filter; }
    [[nodiscard]] ModuleActions& actions() { return *m_actions; }
    [[nodiscard]] QAction* selectAlikeAction() const { return m_selectAlike; }
    /// The quantizable modules that are selected, or below a selected row and not filtered out, in model order.
    [[nodiscard]] QStringList selectedModules() const;

Q_SIGNALS:
    void openRequested();
    void blockSelected(int block);  ///< -1: a module outside of the blocks, or nothing
    void failed(const QString& message);  ///< a change of the recipe was refused

private:
    void makeTree();
    void makeContextMenu();
    void showModel();
    void showFacts();
    void applyFilter(const QString& text);
    void acceptFilter();  ///< Enter: on to the first match
    [[nodiscard]] QStringList unfoldedGroups() const;
    void showSelection(const QString& name);
    void showPicked();
    void selectRows(const QModelIndexList& rows);  ///< of the model, and unfolds their groups where these are few
    void currentChanged(const QModelIndex& current);
    [[nodiscard]] QModelIndexList selectedRows() const;
    void selectionChanged();
    void showSelectionCount();
    void selectAlike();
    void copySelection();

    Session& m_session;
    ModelTreeModel* m_model;
    ModuleFilter* m_filtered;
    QTreeView* m_tree;
    QLabel* m_summary;
    QLabel* m_picked;
    QLineEdit* m_filter;
    ModuleActions* m_actions = nullptr;
    QAction* m_selectAlike = nullptr;
    StatePage* m_page = nullptr;
    QSet<QString> m_chosen;  ///< names of the rows that the user selected last, those that the filter hides since included
    QStringList m_unfolded;  ///< groups that were unfolded before there was a filter
    bool m_following = false;  ///< the tree shows what was selected elsewhere
    bool m_restoring = false;  ///< what changes in the tree's selection now is not the user's doing
};

}  // namespace calibench
