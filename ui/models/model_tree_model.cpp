#include "ui/models/model_tree_model.h"

#include <QApplication>
#include <QPalette>

#include <algorithm>
#include <tuple>

#include "ui/format.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr quintptr TopLevel = 0;  // internal id of a top row; a module below it carries its parent's row + 1

/// "self_attn.q_proj" of "model.layers.3.self_attn.q_proj".
QString labelWithinBlock(const ModuleInfo& info) {
    const QString name = QString::fromStdString(info.name);
    const QString block = QStringLiteral(".%1.").arg(info.block);
    const qsizetype at = info.block < 0 ? -1 : name.indexOf(block);
    return at < 0 ? name : name.mid(at + block.size());
}

QString blockStateText(BlockRecord::State state) {
    switch (state) {
        case BlockRecord::State::Waiting: return ModelTreeModel::tr("waiting");
        case BlockRecord::State::Calibrating: return ModelTreeModel::tr("calibrating");
        case BlockRecord::State::Tuning: return ModelTreeModel::tr("tuning");
        case BlockRecord::State::Done: return ModelTreeModel::tr("done");
    }
    return {};
}

}  // namespace

ModelTreeModel::ModelTreeModel(const RunRecord& record, QObject* parent) : QAbstractItemModel(parent), m_record(record) {}

void ModelTreeModel::setModel(const ModelSummary& model) {
    beginResetModel();
    m_tops.clear();
    m_places.clear();
    m_blockRows.clear();
    for (const ModuleInfo& info : model.modules) {
        Module module{info, labelWithinBlock(info), QString::fromStdString(info.scheme)};
        if (info.block < 0) {
            m_places[info.name] = {static_cast<int>(m_tops.size()), -1};
            m_tops.push_back({-1, {}});
            m_tops.back().modules.push_back(std::move(module));
            continue;
        }
        const auto [place, isNew] = m_blockRows.try_emplace(info.block, static_cast<int>(m_tops.size()));
        if (isNew) m_tops.push_back({info.block, {}});
        Top& top = m_tops[static_cast<size_t>(place->second)];
        m_places[info.name] = {place->second, static_cast<int>(top.modules.size())};
        top.modules.push_back(std::move(module));
    }
    endResetModel();
}

void ModelTreeModel::setSchemes(const QHash<QString, QString>& schemes) {
    std::vector<Place> changed;
    for (const auto& [name, place] : m_places) {
        Module& module = m_tops[static_cast<size_t>(place.top)].modules[static_cast<size_t>(std::max(place.row, 0))];
        const QString scheme = schemes.value(QString::fromStdString(name), QString::fromStdString(module.info.scheme));
        if (module.scheme == scheme) continue;
        module.scheme = scheme;
        changed.push_back(place);
        if (place.row >= 0) changed.push_back({place.top, -1});
    }
    announce(std::move(changed), SchemeColumn, StateColumn);
}

void ModelTreeModel::applySnapshot(const RunSnapshot& snapshot) {
    std::vector<Place> changed;
    const auto moduleChanged = [&](const std::string& name) {
        if (const auto place = m_places.find(name); place != m_places.end()) changed.push_back(place->second);
    };
    const auto blockChanged = [&](int64_t block) {
        if (const auto row = m_blockRows.find(static_cast<int>(block)); row != m_blockRows.end()) changed.push_back({row->second, -1});
    };
    for (const auto& event : snapshot.ranges) moduleChanged(event.module);
    for (const auto& event : snapshot.modulesQuantized) moduleChanged(event.module);
    for (const auto& event : snapshot.blocksStarted) blockChanged(event.block);
    for (const auto& event : snapshot.blocksFinished) blockChanged(event.block);
    for (const auto& event : snapshot.losses) blockChanged(event.block);
    announce(std::move(changed), QualityColumn, RangeColumn);
}

void ModelTreeModel::refreshAll() {
    std::vector<Place> all;
    for (int top = 0; top < static_cast<int>(m_tops.size()); ++top) {
        all.push_back({top, -1});
        for (int row = 0; row < rowCount(index(top, 0)); ++row) all.push_back({top, row});
    }
    announce(std::move(all), SchemeColumn, RangeColumn);
}

void ModelTreeModel::announce(std::vector<Place> places, Column first, Column last) {
    const auto key = [](const Place& place) { return std::make_tuple(place.row >= 0 ? place.top : -1, place.row, place.top); };
    std::sort(places.begin(), places.end(), [&](const Place& a, const Place& b) { return key(a) < key(b); });
    const auto same = [&](const Place& a, const Place& b) { return key(a) == key(b); };
    places.erase(std::unique(places.begin(), places.end(), same), places.end());

    // Top rows come first (keys -1), then each block's modules; a span ends where the row does not follow on.
    const auto rowOf = [](const Place& place) { return place.row >= 0 ? place.row : place.top; };
    for (size_t begin = 0; begin < places.size();) {
        size_t end = begin + 1;
        while (end < places.size() && (places[end].row >= 0) == (places[begin].row >= 0) &&
               (places[begin].row < 0 || places[end].top == places[begin].top) &&
               rowOf(places[end]) == rowOf(places[end - 1]) + 1)
            ++end;
        const QModelIndex parent = places[begin].row >= 0 ? index(places[begin].top, 0) : QModelIndex();
        Q_EMIT dataChanged(index(rowOf(places[begin]), first, parent), index(rowOf(places[end - 1]), last, parent));
        begin = end;
    }
}

QModelIndex ModelTreeModel::indexOf(const QString& module) const {
    const auto place = m_places.find(module.toStdString());
    if (place == m_places.end()) return {};
    const QModelIndex top = index(place->second.top, 0);
    return place->second.row < 0 ? top : index(place->second.row, 0, top);
}

QModelIndex ModelTreeModel::indexOfBlock(int block) const {
    const auto row = m_blockRows.find(block);
    return row == m_blockRows.end() ? QModelIndex() : index(row->second, 0);
}

QModelIndex ModelTreeModel::index(int row, int column, const QModelIndex& parent) const {
    if (!hasIndex(row, column, parent)) return {};
    return createIndex(row, column, parent.isValid() ? static_cast<quintptr>(parent.row()) + 1 : TopLevel);
}

QModelIndex ModelTreeModel::parent(const QModelIndex& child) const {
    if (!child.isValid() || child.internalId() == TopLevel) return {};
    return createIndex(static_cast<int>(child.internalId()) - 1, 0, TopLevel);
}

int ModelTreeModel::rowCount(const QModelIndex& parent) const {
    if (!parent.isValid()) return static_cast<int>(m_tops.size());
    if (parent.internalId() != TopLevel || parent.column() != 0) return 0;
    const Top& top = m_tops[static_cast<size_t>(parent.row())];
    return top.block < 0 ? 0 : static_cast<int>(top.modules.size());
}

int ModelTreeModel::columnCount(const QModelIndex&) const { return NUM_COLUMNS; }

const ModelTreeModel::Module* ModelTreeModel::moduleAt(const QModelIndex& index) const {
    if (index.internalId() != TopLevel)
        return &m_tops[index.internalId() - 1].modules[static_cast<size_t>(index.row())];
    const Top& top = m_tops[static_cast<size_t>(index.row())];
    return top.block < 0 ? &top.modules.front() : nullptr;
}

QVariant ModelTreeModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    if (role == Qt::TextAlignmentRole && (index.column() == RangeColumn || index.column() == QualityColumn || index.column() == ShapeColumn))
        return QVariant::fromValue(Qt::Alignment(Qt::AlignRight | Qt::AlignVCenter));
    const Module* module = moduleAt(index);
    return module ? moduleData(*module, index.column(), role)
                  : blockData(m_tops[static_cast<size_t>(index.row())], index.column(), role);
}

QVariant ModelTreeModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole && (section == RangeColumn || section == QualityColumn || section == ShapeColumn))
        return QVariant::fromValue(Qt::Alignment(Qt::AlignRight | Qt::AlignVCenter));
    static const struct { const char *title, *help; } columns[NUM_COLUMNS] = {
        {QT_TR_NOOP("Module"), QT_TR_NOOP("Decoder blocks and the modules that hold weights")},
        {QT_TR_NOOP("Scheme"), QT_TR_NOOP("What the recipe does with the module")},
        {QT_TR_NOOP("Quality"), QT_TR_NOOP("Blocks: lowest loss so far (mean squared error). Modules: signal to quantization noise of the weight, in dB")},
        {QT_TR_NOOP("State"), QT_TR_NOOP("How far the run has come with it")},
        {QT_TR_NOOP("Range"), QT_TR_NOOP("Smallest and largest weight; inputs on hover")},
        {QT_TR_NOOP("Shape"), QT_TR_NOOP("Shape of the weight: outputs × inputs")},
    };
    if (role == Qt::DisplayRole) return tr(columns[section].title);
    if (role == Qt::ToolTipRole) return tr(columns[section].help);
    return {};
}

QString ModelTreeModel::blockScheme(const Top& top) const {
    QStringList schemes;
    for (const Module& module : top.modules)
        if (!module.scheme.isEmpty() && !schemes.contains(module.scheme)) schemes << module.scheme;
    if (schemes.size() > 1) return tr("%n schemes", nullptr, static_cast<int>(schemes.size()));
    return schemes.value(0);
}

QVariant ModelTreeModel::blockData(const Top& top, int column, int role) const {
    if (role == BlockRole) return top.block;
    if (role == ModuleRole) return QString();
    const auto& blocks = m_record.blocks();
    const BlockRecord* record = static_cast<size_t>(top.block) < blocks.size() ? &blocks[static_cast<size_t>(top.block)] : nullptr;
    const bool text = role == Qt::DisplayRole;
    switch (column) {
        case ModuleColumn:
            if (text) return tr("Block %1").arg(top.block);
            if (role == SortRole) return top.block;
            break;
        case SchemeColumn:
            if (text || role == SortRole) return blockScheme(top);
            break;
        case QualityColumn:
            if (!record || !record->best()) break;
            if (text) return formatNumber(record->best()->y);
            if (role == SortRole) return record->best()->y;
            if (role == Qt::ToolTipRole)
                return tr("Lowest loss %1 at iteration %2; round to nearest gives %3")
                    .arg(formatExact(record->best()->y), formatCount(static_cast<int64_t>(record->best()->x)),
                         formatExact(record->losses().points().front().y));
            break;
        case StateColumn:
            if ((text || role == SortRole) && record && m_record.started()) return blockStateText(record->state);
            break;
        default: break;
    }
    return {};
}

QString ModelTreeModel::stateOf(const Module& module) const {
    const ModuleRecord* record = m_record.find(module.info.name);
    if (record && record->sqnrDb) return tr("done");
    if (module.scheme.isEmpty()) return {};
    if (record && (record->weight || record->input)) return tr("observed");
    return m_record.started() ? tr("waiting") : QString();
}

QVariant ModelTreeModel::rangeData(const ModuleRecord& record, int role) {
    if (role == Qt::ToolTipRole) {
        QStringList lines;
        const auto line = [&](const QString& what, const std::optional<RangeObserved>& range) {
            if (range) lines << tr("%1: %2 (99.8 % within %3)").arg(what, formatExactRange(range->min, range->max), formatExactRange(range->p001, range->p999));
        };
        line(tr("Weight"), record.weight);
        line(tr("Inputs"), record.input);
        line(tr("Outputs"), record.output);
        return lines.join(QLatin1Char('\n'));
    }
    if (!record.weight) return {};
    if (role == Qt::DisplayRole) return formatRange(record.weight->min, record.weight->max);
    if (role == SortRole) return record.weight->max - record.weight->min;
    return {};
}

QVariant ModelTreeModel::moduleData(const Module& module, int column, int role) const {
    if (role == ModuleRole) return QString::fromStdString(module.info.name);
    if (role == BlockRole) return module.info.block;
    if (role == Qt::ForegroundRole && module.scheme.isEmpty()) return mutedText(QApplication::palette());
    const ModuleRecord* record = m_record.find(module.info.name);
    const bool text = role == Qt::DisplayRole;
    switch (column) {
        case ModuleColumn:
            if (text || role == SortRole) return module.label;
            if (role == Qt::ToolTipRole)
                return tr("%1\n%2, %3 as stored, %4")
                    .arg(QString::fromStdString(module.info.name), QString::fromStdString(module.info.class_name),
                         QString::fromStdString(module.info.dtype), formatBytes(static_cast<double>(module.info.num_bytes)));
            break;
        case ShapeColumn:
            if (text) return formatShape(module.info.shape);
            if (role == SortRole) return static_cast<qlonglong>(module.info.num_parameters);
            break;
        case SchemeColumn:
            if (text || role == SortRole) return module.scheme.isEmpty() ? tr("as is") : module.scheme;
            break;
        case RangeColumn:
            if (record) return rangeData(*record, role);
            break;
        case QualityColumn:
            if (!record || !record->sqnrDb) break;
            if (text) return tr("%1 dB").arg(*record->sqnrDb, 0, 'f', 1);
            if (role == SortRole) return *record->sqnrDb;
            if (role == Qt::ToolTipRole) return tr("%1 dB: weight against its quantization error").arg(formatExact(*record->sqnrDb));
            break;
        case StateColumn:
            if (text || role == SortRole) return stateOf(module);
            break;
        default: break;
    }
    return {};
}

QString ModelTreeModel::plainText(const QModelIndexList& rows) const {
    QStringList lines;
    for (const QModelIndex& row : rows) {
        const QString name = row.data(ModuleRole).toString();
        QStringList cells{name.isEmpty() ? row.data(Qt::DisplayRole).toString() : name};
        const ModuleRecord* record = m_record.find(name.toStdString());
        cells << row.siblingAtColumn(ShapeColumn).data().toString() << row.siblingAtColumn(SchemeColumn).data().toString();
        const bool ranged = record && record->weight;
        cells << (ranged ? formatExact(record->weight->min) : QString()) << (ranged ? formatExact(record->weight->max) : QString());
        const QVariant quality = row.siblingAtColumn(QualityColumn).data(SortRole);
        cells << (quality.isValid() ? formatExact(quality.toDouble()) : QString()) << row.siblingAtColumn(StateColumn).data().toString();
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n'));
}

}  // namespace calibench
