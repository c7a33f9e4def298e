#pragma once

#include <QAbstractItemModel>
#include <QHash>
#include <QSet>

#include <optional>
#include <vector>

#include "ui/models/module_facts.h"
#include "ui/models/module_tree.h"

namespace calibench {

/// The model as a tree (module_tree.h) with what the recipe and the run make of its modules. What it knows of the run it reads
/// from the record; while numbers stream in it only says which rows changed, so selection, scroll and expansion stay.
class ModelTreeModel : public QAbstractItemModel {
    Q_OBJECT

public:
    enum Column { ModuleColumn, SchemeColumn, SqnrColumn, StateColumn, RangeColumn, TokensColumn, ShapeColumn, NUM_COLUMNS };
    enum Role {
        SortRole = Qt::UserRole,  ///< the raw number behind the text
        ModuleRole,               ///< full name of the module, or of the block or expert: "model.layers.3"
        BlockRole,                ///< -1 outside of the blocks
    };

    /// `record` must outlive the model.
    explicit ModelTreeModel(const RunRecord& record, QObject* parent = nullptr);

    void setModel(const ModelSummary& model);
    void setSchemes(const QHash<QString, QString>& schemes);
    void setHighlighted(const QSet<QString>& modules);
    void applySnapshot(const RunSnapshot& snapshot);
    void refreshAll();  ///< the record was begun anew

    /// Of a module, block or expert, by its name; invalid when there is none.
    [[nodiscard]] QModelIndex indexOf(const QString& name) const;
    [[nodiscard]] QModelIndex indexOfBlock(int block) const;
    [[nodiscard]] const ModuleTree::Node& node(const QModelIndex& index) const;
    /// All modules that are to their block, or expert, what this one is to its own: every q_proj.
    [[nodiscard]] QModelIndexList alike(const QModelIndex& module) const;
    /// Tab-separated raw values of the rows under a line of titles, for the clipboard.
    [[nodiscard]] QString plainText(const QModelIndexList& rows) const;

    [[nodiscard]] QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    [[nodiscard]] QModelIndex parent(const QModelIndex& child) const override;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

Q_SIGNALS:
    void schemesChanged();

private:
    [[nodiscard]] QModelIndex indexOfNode(int node, int column = 0) const;
    [[nodiscard]] int nodeAt(const QModelIndex& index) const { return index.isValid() ? static_cast<int>(index.internalId()) : 0; }
    [[nodiscard]] const ModuleFacts& facts(int node) const;
    [[nodiscard]] const ModuleRecord* recordOf(const ModuleTree::Node& node) const;
    [[nodiscard]] const BlockRecord* blockRecord(const ModuleTree::Node& node) const;  ///< of a block's node once a run was started

    // One function a column; each answers DisplayRole, SortRole and ToolTipRole.
    [[nodiscard]] QVariant moduleData(int node, int role) const;
    [[nodiscard]] QVariant schemeData(int node, int role) const;
    [[nodiscard]] QVariant sqnrData(int node, int role) const;
    [[nodiscard]] QVariant stateData(int node, int role) const;
    [[nodiscard]] QVariant rangeData(int node, int role) const;
    [[nodiscard]] QVariant tokensData(int node, int role) const;
    [[nodiscard]] QVariant shapeData(int node, int role) const;

    /// Tells of these nodes and of the groups they are in, one signal for rows that follow each other.
    void announce(std::vector<int> nodes);

    const RunRecord& m_record;
    ModuleTree m_tree;
    std::vector<QString> m_schemes;  ///< by node: what the recipe does with it, or what a compressed checkpoint holds
    QSet<QString> m_highlighted;
    mutable std::vector<std::optional<ModuleFacts>> m_facts;  ///< by node: unset until asked for after a change
};

}  // namespace calibench
