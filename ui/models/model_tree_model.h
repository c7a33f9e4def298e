#pragma once

#include <QAbstractItemModel>
#include <QHash>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/models/model_summary.h"
#include "ui/run_record.h"

namespace calibench {

/// The model as a tree: decoder blocks, their modules under them, and the few modules outside beside them. What it knows of the
/// run it reads from the record; while numbers stream in it only says which rows changed, so selection and scroll stay.
class ModelTreeModel : public QAbstractItemModel {
    Q_OBJECT

public:
    enum Column { ModuleColumn, SchemeColumn, QualityColumn, StateColumn, RangeColumn, ShapeColumn, NUM_COLUMNS };
    enum Role {
        SortRole = Qt::UserRole,  ///< the raw number behind the text
        ModuleRole,               ///< full module name, empty for a block
        BlockRole,                ///< -1 outside of the blocks
    };

    /// `record` must outlive the model.
    explicit ModelTreeModel(const RunRecord& record, QObject* parent = nullptr);

    void setModel(const ModelSummary& model);
    void setSchemes(const QHash<QString, QString>& schemes);
    void applySnapshot(const RunSnapshot& snapshot);
    void refreshAll();  ///< the record was begun anew

    [[nodiscard]] QModelIndex indexOf(const QString& module) const;  ///< invalid when there is none
    [[nodiscard]] QModelIndex indexOfBlock(int block) const;
    /// Tab-separated raw values of the rows, for the clipboard.
    [[nodiscard]] QString plainText(const QModelIndexList& rows) const;

    [[nodiscard]] QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    [[nodiscard]] QModelIndex parent(const QModelIndex& child) const override;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Module {
        ModuleInfo info;
        QString label;   ///< within its block: "self_attn.q_proj"
        QString scheme;  ///< what the recipe does with it, or what a compressed checkpoint holds
    };
    struct Top {
        int block = -1;               ///< -1: a single module
        std::vector<Module> modules;  ///< one when single
    };
    struct Place {
        int top = 0;
        int row = -1;  ///< -1: the top row itself
    };

    [[nodiscard]] const Module* moduleAt(const QModelIndex& index) const;
    [[nodiscard]] QVariant blockData(const Top& top, int column, int role) const;
    [[nodiscard]] QVariant moduleData(const Module& module, int column, int role) const;
    [[nodiscard]] QString blockScheme(const Top& top) const;
    [[nodiscard]] QString stateOf(const Module& module) const;
    [[nodiscard]] static QVariant rangeData(const ModuleRecord& record, int role);
    void announce(std::vector<Place> places, Column first, Column last);

    const RunRecord& m_record;
    std::vector<Top> m_tops;
    std::unordered_map<std::string, Place> m_places;
    std::unordered_map<int, int> m_blockRows;
};

}  // namespace calibench
