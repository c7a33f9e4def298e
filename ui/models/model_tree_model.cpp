#include "ui/models/model_tree_model.h"

#include <QApplication>
#include <QBrush>
#include <QLocale>
#include <QPalette>

#include <algorithm>
#include <utility>

#include "ui/format.h"
#include "ui/theme.h"

namespace calibench {

using Kind = ModuleTree::Kind;
using Node = ModuleTree::Node;

namespace {

QString blockStateText(BlockRecord::State state) {
    switch (state) {
        case BlockRecord::State::Waiting: return ModelTreeModel::tr("waiting");
        case BlockRecord::State::Calibrating: return ModelTreeModel::tr("calibrating");
        case BlockRecord::State::Tuning: return ModelTreeModel::tr("tuning");
        case BlockRecord::State::Done: return ModelTreeModel::tr("done");
    }
    return {};
}

bool isNumber(int column) {
    return column == ModelTreeModel::RangeColumn || column == ModelTreeModel::TokensColumn || column == ModelTreeModel::SqnrColumn ||
           column == ModelTreeModel::ShapeColumn;
}

QBrush highlightBrush() {
    QColor colour = QApplication::palette().color(QPalette::Active, QPalette::Highlight);
    colour.setAlpha(56);  // under the text, not instead of the selection
    return colour;
}

}  // namespace

ModelTreeModel::ModelTreeModel(const RunRecord& record, QObject* parent) : QAbstractItemModel(parent), m_record(record), m_schemes(1), m_facts(1) {}

void ModelTreeModel::setModel(const ModelSummary& model) {
    beginResetModel();
    m_tree = ModuleTree(model);
    m_schemes.clear();
    for (const Node& node : m_tree.nodes()) m_schemes.push_back(QString::fromStdString(node.info.scheme));
    m_highlighted.clear();
    m_facts.assign(m_tree.nodes().size(), {});
    endResetModel();
}

void ModelTreeModel::setSchemes(const QHash<QString, QString>& schemes) {
    std::vector<int> changed;
    for (int node = 0; node < static_cast<int>(m_schemes.size()); ++node) {
        if (m_tree[node].kind != Kind::Module) continue;
        const auto given = schemes.find(m_tree[node].name);
        QString scheme = given != schemes.end() ? *given : QString::fromStdString(m_tree[node].info.scheme);
        if (std::exchange(m_schemes[static_cast<size_t>(node)], scheme) != scheme) changed.push_back(node);
    }
    if (changed.empty()) return;
    announce(std::move(changed));
    Q_EMIT schemesChanged();
}

void ModelTreeModel::setHighlighted(const QSet<QString>& modules) {
    std::vector<int> changed;
    const auto addMissing = [&](const QSet<QString>& from, const QSet<QString>& in) {
        for (const QString& module : from)
            if (const int node = in.contains(module) ? -1 : m_tree.find(module); node >= 0) changed.push_back(node);
    };
    addMissing(modules, m_highlighted);
    addMissing(m_highlighted, modules);
    m_highlighted = modules;
    announce(std::move(changed));
}

void ModelTreeModel::applySnapshot(const RunSnapshot& snapshot) {
    std::vector<int> changed;
    const auto modulesChanged = [&](const auto& events) {
        for (const auto& event : events)
            if (const int node = m_tree.find(QString::fromStdString(event.module)); node >= 0) changed.push_back(node);
    };
    const auto blocksChanged = [&](const auto& events) {
        for (const auto& event : events)
            if (const int node = m_tree.findBlock(static_cast<int>(event.block)); node >= 0) changed.push_back(node);
    };
    modulesChanged(snapshot.ranges);
    modulesChanged(snapshot.tokens);
    modulesChanged(snapshot.modulesQuantized);
    blocksChanged(snapshot.blocksStarted);
    blocksChanged(snapshot.blocksFinished);
    blocksChanged(snapshot.losses);
    announce(std::move(changed));
}

void ModelTreeModel::refreshAll() {
    std::vector<int> all;
    for (int node = 1; node < static_cast<int>(m_schemes.size()); ++node) all.push_back(node);
    announce(std::move(all));
}

void ModelTreeModel::announce(std::vector<int> nodes) {
    for (size_t i = 0; i < nodes.size(); ++i) {  // grows by the groups that they are in
        m_facts[static_cast<size_t>(nodes[i])].reset();
        if (const int parent = m_tree[nodes[i]].parent; parent > 0) nodes.push_back(parent);
    }
    const auto place = [this](int node) { return std::pair(m_tree[node].parent, m_tree[node].row); };
    std::sort(nodes.begin(), nodes.end(), [&](int a, int b) { return place(a) < place(b); });
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    for (size_t begin = 0; begin < nodes.size();) {
        size_t end = begin + 1;
        while (end < nodes.size() && place(nodes[end]) == std::pair(place(nodes[end - 1]).first, place(nodes[end - 1]).second + 1)) ++end;
        Q_EMIT dataChanged(indexOfNode(nodes[begin]), indexOfNode(nodes[end - 1], NUM_COLUMNS - 1));
        begin = end;
    }
}

const ModuleFacts& ModelTreeModel::facts(int node) const {
    std::optional<ModuleFacts>& known = m_facts[static_cast<size_t>(node)];
    if (!known) {
        known.emplace();
        if (m_tree[node].kind == Kind::Module)
            known->addModule(recordOf(m_tree[node]), m_schemes[static_cast<size_t>(node)], m_highlighted.contains(m_tree[node].name));
        for (const int child : m_tree[node].children) known->add(facts(child));
    }
    return *known;
}

const ModuleRecord* ModelTreeModel::recordOf(const Node& node) const {
    return node.kind == Kind::Module ? m_record.find(node.info.name) : nullptr;
}

const BlockRecord* ModelTreeModel::blockRecord(const Node& node) const {
    if (node.kind != Kind::Block || !m_record.started() || static_cast<size_t>(node.block) >= m_record.blocks().size()) return nullptr;
    return &m_record.blocks()[static_cast<size_t>(node.block)];
}

QModelIndex ModelTreeModel::indexOfNode(int node, int column) const {
    return node <= 0 ? QModelIndex() : createIndex(m_tree[node].row, column, static_cast<quintptr>(node));
}

QModelIndex ModelTreeModel::indexOf(const QString& name) const { return indexOfNode(m_tree.find(name)); }

QModelIndex ModelTreeModel::indexOfBlock(int block) const { return indexOfNode(m_tree.findBlock(block)); }

const Node& ModelTreeModel::node(const QModelIndex& index) const { return m_tree[nodeAt(index)]; }

QModelIndexList ModelTreeModel::alike(const QModelIndex& module) const {
    QModelIndexList found;
    for (int i = 1; i < static_cast<int>(m_schemes.size()); ++i)
        if (m_tree[i].kind == Kind::Module && m_tree[i].kin == node(module).kin) found << indexOfNode(i);
    return found;
}

QModelIndex ModelTreeModel::index(int row, int column, const QModelIndex& parent) const {
    if (!hasIndex(row, column, parent)) return {};
    return indexOfNode(node(parent).children[static_cast<size_t>(row)], column);
}

QModelIndex ModelTreeModel::parent(const QModelIndex& child) const {
    return child.isValid() ? indexOfNode(node(child).parent) : QModelIndex();
}

int ModelTreeModel::rowCount(const QModelIndex& parent) const {
    return parent.column() > 0 ? 0 : static_cast<int>(node(parent).children.size());
}

int ModelTreeModel::columnCount(const QModelIndex&) const { return NUM_COLUMNS; }

QVariant ModelTreeModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const int node = nodeAt(index);
    switch (role) {
        case ModuleRole: return m_tree[node].name;
        case BlockRole: return m_tree[node].block;
        case Qt::TextAlignmentRole:
            return isNumber(index.column()) ? QVariant::fromValue(Qt::Alignment(Qt::AlignRight | Qt::AlignVCenter)) : QVariant();
        case Qt::ForegroundRole: return facts(node).quantizable == 0 ? mutedText(QApplication::palette()) : QVariant();
        case Qt::BackgroundRole: return m_highlighted.contains(m_tree[node].name) ? highlightBrush() : QVariant();
        case Qt::DisplayRole: case Qt::ToolTipRole: case SortRole: break;
        default: return {};
    }
    switch (index.column()) {
        case ModuleColumn: return moduleData(node, role);
        case SchemeColumn: return schemeData(node, role);
        case SqnrColumn: return sqnrData(node, role);
        case StateColumn: return stateData(node, role);
        case RangeColumn: return rangeData(node, role);
        case TokensColumn: return tokensData(node, role);
        case ShapeColumn: return shapeData(node, role);
        default: return {};
    }
}

QVariant ModelTreeModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole && isNumber(section)) return QVariant::fromValue(Qt::Alignment(Qt::AlignRight | Qt::AlignVCenter));
    static const struct { const char *title, *help; } columns[NUM_COLUMNS] = {
        {QT_TR_NOOP("Module"), QT_TR_NOOP("Decoder blocks, their experts and the modules that hold weights")},
        {QT_TR_NOOP("Scheme"), QT_TR_NOOP("What the recipe does with the module")},
        {QT_TR_NOOP("SQNR, dB"), QT_TR_NOOP("Signal to quantization noise of the weight: more is better. Of a group, the worst")},
        {QT_TR_NOOP("State"), QT_TR_NOOP("How far the run has come with it; of a block also the lowest loss so far (mean squared error)")},
        {QT_TR_NOOP("Range"), QT_TR_NOOP("Smallest and largest weight; inputs on hover")},
        {QT_TR_NOOP("Tokens"), QT_TR_NOOP("How many tokens it has seen; of a group, the fewest and the most")},
        {QT_TR_NOOP("Shape"), QT_TR_NOOP("Shape of the weight: outputs × inputs")},
    };
    if (role == Qt::DisplayRole) return tr(columns[section].title);
    if (role == Qt::ToolTipRole) return tr(columns[section].help);
    return {};
}

QVariant ModelTreeModel::moduleData(int node, int role) const {
    const Node& n = m_tree[node];
    if (role == SortRole) return n.row;
    if (role == Qt::DisplayRole) {
        if (m_highlighted.isEmpty() || n.kind == Kind::Module || facts(node).highlighted == 0) return n.label;
        return tr("%1: %n matched", nullptr, facts(node).highlighted).arg(n.label);
    }
    if (n.kind != Kind::Module) return n.name;
    return tr("%1\n%2, %3 as stored, %4")
        .arg(n.name, QString::fromStdString(n.info.class_name), QString::fromStdString(n.info.dtype), formatBytes(static_cast<double>(n.info.num_bytes)));
}

QVariant ModelTreeModel::schemeData(int node, int role) const {
    if (role == Qt::ToolTipRole) return facts(node).schemeDetail();
    const QString scheme = facts(node).schemeText();
    if (m_tree[node].kind != Kind::Module) return scheme;
    const QString planned = scheme.isEmpty() ? tr("as is") : scheme;
    const ModuleRecord* record = recordOf(m_tree[node]);
    const QString done = record ? QString::fromStdString(record->scheme) : QString();
    return done.isEmpty() || done == scheme ? planned : tr("%1, was %2").arg(planned, done);
}

QVariant ModelTreeModel::sqnrData(int node, int role) const {
    const ModuleFacts& known = facts(node);
    if (!known.worstSqnrDb) return {};
    if (role == SortRole) return *known.worstSqnrDb;
    if (role == Qt::DisplayRole) return QLocale().toString(*known.worstSqnrDb, 'f', 1);
    if (m_tree[node].kind == Kind::Module) return tr("%1 dB: weight against its quantization error").arg(formatExact(*known.worstSqnrDb));
    return tr("%1 dB, the worst here: %2").arg(formatExact(*known.worstSqnrDb), QString::fromStdString(known.worstModule));
}

QVariant ModelTreeModel::stateData(int node, int role) const {
    const BlockRecord* block = blockRecord(m_tree[node]);
    if (!block) return role == Qt::ToolTipRole ? QVariant() : facts(node).stateText(m_record.started().has_value());
    const std::optional<SeriesPoint> best = block->best();
    const QString state = blockStateText(block->state);
    if (role == SortRole) return best ? QVariant(best->y) : QVariant();
    if (role == Qt::DisplayRole) return best ? tr("%1 · %2").arg(state, formatNumber(best->y)) : state;
    if (!best) return {};
    return tr("Lowest loss %1 at iteration %2; round to nearest gives %3")
        .arg(formatExact(best->y), formatCount(static_cast<int64_t>(best->x)), formatExact(block->losses().points().front().y));
}

QVariant ModelTreeModel::rangeData(int node, int role) const {
    const ModuleFacts& known = facts(node);
    if (role == Qt::ToolTipRole) {
        QStringList lines;
        const auto line = [&](const QString& what, const std::optional<RangeObserved>& range) {
            if (range) lines << tr("%1: %2 (99.8 % within %3)").arg(what, formatExactRange(range->min, range->max), formatExactRange(range->p001, range->p999));
        };
        if (const ModuleRecord* record = recordOf(m_tree[node])) {
            line(tr("Weight"), record->weight);
            line(tr("Inputs"), record->input);
            line(tr("Outputs"), record->output);
        } else if (known.minWeight) {
            lines << tr("Weights: %1").arg(formatExactRange(*known.minWeight, *known.maxWeight));
        }
        return lines.join(QLatin1Char('\n'));
    }
    if (!known.minWeight) return {};
    if (role == Qt::DisplayRole) return formatRange(*known.minWeight, *known.maxWeight);
    return *known.maxWeight - *known.minWeight;
}

QVariant ModelTreeModel::tokensData(int node, int role) const {
    const ModuleFacts& known = facts(node);
    if (!known.fewestTokens) return {};
    return role == SortRole ? QVariant(static_cast<qlonglong>(*known.fewestTokens)) : QVariant(known.tokensText());
}

QVariant ModelTreeModel::shapeData(int node, int role) const {
    const Node& n = m_tree[node];
    if (n.kind != Kind::Module) return {};
    if (role == SortRole) return static_cast<qlonglong>(n.info.num_parameters);
    return role == Qt::DisplayRole ? QVariant(formatShape(n.info.shape)) : QVariant();
}

QString ModelTreeModel::plainText(const QModelIndexList& rows) const {
    const QStringList titles{tr("Name"), tr("Shape"), tr("Scheme"), tr("Weight min"), tr("Weight max"), tr("Fewest tokens"), tr("Most tokens"),
                             tr("SQNR in dB"), tr("State"), tr("Lowest loss")};
    QStringList lines{titles.join(QLatin1Char('\t'))};
    const auto exact = [](const std::optional<double>& value) { return value ? formatExact(*value) : QString(); };
    const auto count = [](const std::optional<int64_t>& value) { return value ? QString::number(*value) : QString(); };
    for (const QModelIndex& row : rows) {
        const int node = nodeAt(row);
        const ModuleFacts& known = facts(node);
        const BlockRecord* block = blockRecord(m_tree[node]);
        const std::optional<SeriesPoint> best = block ? block->best() : std::nullopt;
        const QStringList cells{m_tree[node].name,
                                shapeData(node, Qt::DisplayRole).toString(),
                                schemeData(node, Qt::DisplayRole).toString(),
                                exact(known.minWeight),
                                exact(known.maxWeight),
                                count(known.fewestTokens),
                                count(known.mostTokens),
                                exact(known.worstSqnrDb),
                                block ? blockStateText(block->state) : known.stateText(m_record.started().has_value()),
                                best ? formatExact(best->y) : QString()};
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n'));
}

}  // namespace calibench
