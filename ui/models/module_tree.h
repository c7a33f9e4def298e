#pragma once

#include <QHash>
#include <QString>

#include <vector>

#include "core/models/model_summary.h"

namespace calibench {

/// A model's modules in the order and depth a tree shows them: decoder blocks with their modules, the experts of a block
/// under a node of their own, and the few modules outside of the blocks beside these.
class ModuleTree {
public:
    enum class Kind { Root, Block, Experts, Expert, Module };

    struct Node {
        Kind kind = Kind::Module;
        int parent = -1;  ///< index of a node
        int row = 0;      ///< among the parent's children
        std::vector<int> children;
        QString name;     ///< of the module, or what the names of all modules below begin with: "model.layers.3"
        QString label;    ///< what is left of the name below the parent: "self_attn.q_proj"
        int block = -1, expert = -1;
        ModuleInfo info;  ///< of a module
        QString kin;      ///< of a module: its name with block and expert left open, the same for all that are alike
    };

    ModuleTree() : ModuleTree(ModelSummary()) {}
    explicit ModuleTree(const ModelSummary& model);

    [[nodiscard]] const std::vector<Node>& nodes() const { return m_nodes; }  ///< [0] is the root; parents before children
    [[nodiscard]] const Node& operator[](int node) const { return m_nodes[static_cast<size_t>(node)]; }
    [[nodiscard]] int find(const QString& name) const { return m_index.value(name, -1); }  ///< -1: there is none
    [[nodiscard]] int findBlock(int block) const { return m_blocks.value(block, -1); }

private:
    int child(int parent, Kind kind, const QString& name);  ///< the one there is, or a new one

    std::vector<Node> m_nodes;
    QHash<QString, int> m_index;
    QHash<int, int> m_blocks;
};

}  // namespace calibench
