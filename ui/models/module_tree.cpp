#include "ui/models/module_tree.h"

#include <QCoreApplication>

namespace calibench {

namespace {

/// Where `name` names its `number`th block or expert: the end of "model.layers.3". -1 when it does not.
qsizetype endOfNumber(const QString& name, int number, qsizetype from) {
    const QString part = QStringLiteral(".%1.").arg(number);
    const qsizetype at = number < 0 ? -1 : name.indexOf(part, from);
    return at < 0 ? -1 : at + part.size() - 1;
}

}  // namespace

ModuleTree::ModuleTree(const ModelSummary& model) {
    m_nodes.push_back({.kind = Kind::Root});
    for (const ModuleInfo& info : model.modules) {
        const QString name = QString::fromStdString(info.name);
        int parent = 0;
        QString kin = name;
        if (const qsizetype block = endOfNumber(name, info.block, 0); block >= 0) {
            parent = child(0, Kind::Block, name.first(block));
            m_nodes[static_cast<size_t>(parent)].block = info.block;
            m_blocks.insert(info.block, parent);
            const qsizetype expert = endOfNumber(name, info.expert, block);
            if (expert >= 0) {
                const qsizetype experts = name.lastIndexOf(QLatin1Char('.'), expert - 1);
                parent = child(parent, Kind::Experts, name.first(experts));
                m_nodes[static_cast<size_t>(parent)].block = info.block;
                parent = child(parent, Kind::Expert, name.first(expert));
                m_nodes[static_cast<size_t>(parent)].block = info.block;
                m_nodes[static_cast<size_t>(parent)].expert = info.expert;
                kin.replace(experts + 1, expert - experts - 1, QLatin1Char('*'));
            }
            const qsizetype number = name.lastIndexOf(QLatin1Char('.'), block - 1) + 1;
            kin.replace(number, block - number, QLatin1Char('*'));
        }
        Node& node = m_nodes[static_cast<size_t>(child(parent, Kind::Module, name))];
        node.block = info.block;
        node.expert = info.expert;
        node.info = info;
        node.kin = kin;
    }
    for (Node& node : m_nodes) {
        switch (node.kind) {
            case Kind::Block: node.label = QCoreApplication::translate("ModuleTree", "Block %1").arg(node.block); break;
            case Kind::Experts: node.label = QCoreApplication::translate("ModuleTree", "Experts (%1)").arg(node.children.size()); break;
            case Kind::Expert: node.label = QCoreApplication::translate("ModuleTree", "Expert %1").arg(node.expert); break;
            case Kind::Module: node.label = node.parent == 0 ? node.name : node.name.mid((*this)[node.parent].name.size() + 1); break;
            case Kind::Root: break;
        }
    }
}

int ModuleTree::child(int parent, Kind kind, const QString& name) {
    if (const int known = find(name); known >= 0) return known;
    const int made = static_cast<int>(m_nodes.size());
    std::vector<int>& siblings = m_nodes[static_cast<size_t>(parent)].children;
    const int row = static_cast<int>(siblings.size());
    siblings.push_back(made);
    m_nodes.push_back({.kind = kind, .parent = parent, .row = row, .name = name});
    m_index.insert(name, made);
    return made;
}

}  // namespace calibench
