#include "ui/panels/model_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMap>
#include <QMenu>
#include <QScopedValueRollback>
#include <QStyledItemDelegate>
#include <QToolBar>
#include <QToolButton>
#include <QTreeView>
#include <QVBoxLayout>

#include <functional>

#include "ui/format.h"
#include "ui/models/model_tree_model.h"
#include "ui/models/module_filter.h"
#include "ui/panels/module_actions.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/row_table.h"
#include "ui/panels/state_page.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int MaxUnfolded = 400;  // groups; a tree with more rows than that unfolded helps nobody find anything

/// Rows with a little air between them.
class RowDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        return QStyledItemDelegate::sizeHint(option, index) + QSize(0, 4);
    }
};

/// What a recipe can name; routers and norms are left as they are in any case.
bool isQuantizable(const ModuleTree::Node& node) {
    return node.kind == ModuleTree::Kind::Module && (node.info.class_name == "Linear" || node.info.class_name == "Embedding");
}

}  // namespace

ModelPanel::ModelPanel(Session& session, const RunController& controller, QWidget* parent)
    : QWidget(parent), m_session(session), m_model(new ModelTreeModel(controller.record(), this)), m_filtered(new ModuleFilter(*m_model, this)),
      m_tree(new QTreeView), m_summary(new QLabel), m_picked(new QLabel), m_filter(new QLineEdit) {
    styleFilterField(m_filter, tr("Filter by name, scheme or re:pattern"), tr("Filter modules"));
    connect(m_filter, &QLineEdit::textChanged, this, &ModelPanel::applyFilter);
    connect(m_filter, &QLineEdit::returnPressed, this, &ModelPanel::acceptFilter);

    makeTree();
    m_actions = new ModuleActions(m_session, controller, [this] { return selectedModules(); }, this);
    connect(m_actions, &ModuleActions::failed, this, &ModelPanel::failed);
    makeContextMenu();

    auto* bar = new QToolBar;
    bar->setIconSize({16, 16});
    bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    bar->addActions({m_actions->quantize, m_actions->ignore, m_actions->pin});
    qobject_cast<QToolButton*>(bar->widgetForAction(m_actions->quantize))->setPopupMode(QToolButton::InstantPopup);
    m_picked->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    auto* barRow = new QHBoxLayout;
    barRow->setContentsMargins(4, 0, 8, 0);
    barRow->addWidget(bar);
    barRow->addWidget(m_picked, 1);

    m_summary->setWordWrap(true);
    m_summary->setContentsMargins(8, 6, 8, 2);
    auto* content = new QWidget;
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_summary);
    auto* filterRow = new QHBoxLayout;
    filterRow->setContentsMargins(8, 0, 8, 0);
    filterRow->addWidget(m_filter);
    layout->addLayout(filterRow);
    layout->addLayout(barRow);
    layout->addWidget(m_tree, 1);
    m_page = new StatePage(content);
    fill(this, {m_page});

    connect(&m_session, &Session::modelChanged, this, &ModelPanel::showModel);
    connect(&m_session, &Session::recipeChecked, this, [this] { m_model->setSchemes(m_session.schemes()); });
    connect(&m_session, &Session::selectionChanged, this, &ModelPanel::showSelection);
    connect(&m_session, &Session::pickedChanged, this, &ModelPanel::showPicked);
    connect(&m_session, &Session::highlightChanged, this, [this] { m_model->setHighlighted(m_session.highlightedModules()); });
    connect(&controller, &RunController::snapshotArrived, m_model, &ModelTreeModel::applySnapshot);
    connect(&controller, &RunController::stateChanged, m_model, &ModelTreeModel::refreshAll);
    showModel();
}

void ModelPanel::makeTree() {
    m_tree->setModel(m_filtered);
    m_tree->setItemDelegate(new RowDelegate(m_tree));
    m_tree->setUniformRowHeights(true);
    m_tree->setAlternatingRowColors(true);
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setIndentation(12);
    m_tree->setTextElideMode(Qt::ElideLeft);  // modules differ at the end of their names
    m_tree->setFrameShape(QFrame::NoFrame);
    m_tree->setAccessibleName(tr("Blocks and modules"));
    m_tree->header()->setStretchLastSection(true);
    m_tree->header()->setSortIndicatorClearable(true);
    m_tree->header()->setSortIndicator(-1, Qt::AscendingOrder);  // the model's own order until a header is clicked
    m_tree->setSortingEnabled(true);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.92);
    m_tree->setFont(small);
    const int digit = QFontMetrics(small).horizontalAdvance(QLatin1Char('0'));
    const int widths[ModelTreeModel::NUM_COLUMNS] = {17, 13, 8, 15, 17, 13, 11};
    for (int column = 0; column < ModelTreeModel::NUM_COLUMNS; ++column) m_tree->setColumnWidth(column, widths[column] * digit + 6);
    connect(m_tree->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &ModelPanel::currentChanged);
    connect(m_tree->selectionModel(), &QItemSelectionModel::selectionChanged, this, &ModelPanel::selectionChanged);
    connect(m_tree, &QTreeView::activated, this, &ModelPanel::currentChanged);  // Enter: back to it after something else was picked
}

void ModelPanel::makeContextMenu() {
    const auto action = [this](const QString& text, const QKeySequence& shortcut, void (ModelPanel::*slot)()) {
        auto* made = new QAction(text, m_tree);
        made->setShortcut(shortcut);
        made->setShortcutContext(Qt::WidgetShortcut);
        connect(made, &QAction::triggered, this, slot);
        return made;
    };
    m_selectAlike = action(tr("&Select all like this"), tr("Ctrl+Shift+A"), &ModelPanel::selectAlike);
    QAction* copy = action(tr("&Copy rows"), QKeySequence::Copy, &ModelPanel::copySelection);
    const auto separator = [this] {
        auto* made = new QAction(m_tree);
        made->setSeparator(true);
        return made;
    };
    m_tree->addActions({m_actions->quantize, m_actions->ignore, m_actions->pin, separator(), m_selectAlike, copy});
    m_tree->setContextMenuPolicy(Qt::ActionsContextMenu);
}

void ModelPanel::showModel() {
    switch (m_session.modelState()) {
        case Session::ModelState::None:
            m_page->showEmpty(tr("No model is open."), tr("Open model…"), [this] { Q_EMIT openRequested(); });
            return;
        case Session::ModelState::Loading:
            m_page->showLoading(tr("Reading %1").arg(QFileInfo(m_session.modelFolder()).fileName()));
            return;
        case Session::ModelState::Failed:
            m_page->showEmpty(m_session.modelError(), tr("Open another model…"), [this] { Q_EMIT openRequested(); });
            return;
        case Session::ModelState::Ready: break;
    }
    m_model->setModel(m_session.model());
    m_model->setSchemes(m_session.schemes());
    m_chosen.clear();
    showFacts();
    m_tree->expand(m_filtered->mapFromSource(m_model->indexOfBlock(0)));
    selectionChanged();
    m_page->showContent();
}

void ModelPanel::showFacts() {
    const ModelSummary& model = m_session.model();
    QStringList facts{QString::fromStdString(model.architecture), tr("%n block(s)", nullptr, static_cast<int>(model.num_blocks))};
    if (model.num_experts > 0) facts << tr("%n expert(s)", nullptr, static_cast<int>(model.num_experts));
    facts << tr("%1 parameters").arg(formatCount(model.num_parameters)) << formatBytes(static_cast<double>(model.num_bytes))
          << QString::fromStdString(model.dtype);
    if (!model.quantization_format.empty()) facts << QString::fromStdString(model.quantization_format);
    m_summary->setText(QStringLiteral("<b>%1</b><br>%2").arg(QFileInfo(m_session.modelFolder()).fileName().toHtmlEscaped(),
                                                             facts.join(QStringLiteral(" · ")).toHtmlEscaped()));
    m_summary->setToolTip(m_session.modelFolder());
}

void ModelPanel::applyFilter(const QString& text) {
    if (m_filtered->text().isEmpty()) m_unfolded = unfoldedGroups();
    {
        const QScopedValueRollback restoring(m_restoring, true);
        m_filtered->setText(text);
        QItemSelection kept;
        for (const QString& name : m_chosen)
            if (const QModelIndex index = m_filtered->mapFromSource(m_model->indexOf(name)); index.isValid()) kept.select(index, index);
        m_tree->selectionModel()->select(kept, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
        const QModelIndex current = m_filtered->mapFromSource(m_model->indexOf(m_session.selectedModule()));
        m_tree->selectionModel()->setCurrentIndex(current, QItemSelectionModel::NoUpdate);
    }
    showSelectionCount();
    if (text.isEmpty()) {
        m_tree->collapseAll();
        for (const QString& group : m_unfolded) m_tree->expand(m_filtered->mapFromSource(m_model->indexOf(group)));
        m_tree->scrollTo(m_tree->currentIndex());
    } else if (m_filtered->matchCount() <= MaxUnfolded) {
        m_tree->expandAll();
    }
    m_filter->setToolTip(m_filtered->problem().isEmpty() ? tr("%n row(s) match", nullptr, m_filtered->matchCount()) : m_filtered->problem());
}

QStringList ModelPanel::unfoldedGroups() const {
    QStringList groups;
    const std::function<void(const QModelIndex&)> collect = [&](const QModelIndex& parent) {
        for (int row = 0; row < m_filtered->rowCount(parent); ++row) {
            const QModelIndex index = m_filtered->index(row, 0, parent);
            if (!m_tree->isExpanded(index)) continue;
            groups << index.data(ModelTreeModel::ModuleRole).toString();
            collect(index);
        }
    };
    collect({});
    return groups;
}

void ModelPanel::acceptFilter() {
    QModelIndex first = m_filtered->index(0, 0);
    while (m_filtered->hasChildren(first)) first = m_filtered->index(0, 0, first);
    if (!first.isValid()) return;
    m_tree->setCurrentIndex(first);
    m_tree->setFocus();
}

void ModelPanel::showSelection(const QString& name) {
    const QModelIndex index = m_filtered->mapFromSource(m_model->indexOf(name));
    if (!index.isValid() || index == m_tree->currentIndex().siblingAtColumn(0)) return;
    const QScopedValueRollback following(m_following, true);
    m_tree->setCurrentIndex(index);
    m_tree->scrollTo(index);
    showPicked();
}

/// Rows that were picked elsewhere, as in the overview. A filter may hide some, which come back with it.
void ModelPanel::showPicked() {
    const QStringList& picked = m_session.pickedModules();
    if (picked.size() < 2 || picked == selectedModules()) return;
    QModelIndexList rows;
    for (const QString& module : picked)
        if (const QModelIndex row = m_model->indexOf(module); row.isValid()) rows << row;
    const QScopedValueRollback following(m_following, true);
    selectRows(rows);
    m_chosen = QSet<QString>(picked.begin(), picked.end());
}

void ModelPanel::currentChanged(const QModelIndex& current) {
    if (m_restoring || !current.isValid()) return;
    Q_EMIT blockSelected(current.data(ModelTreeModel::BlockRole).toInt());
    m_session.selectModule(current.data(ModelTreeModel::ModuleRole).toString());
}

void ModelPanel::selectionChanged() {
    if (m_restoring) return;
    m_chosen.clear();
    for (const QModelIndex& row : selectedRows()) m_chosen.insert(row.data(ModelTreeModel::ModuleRole).toString());
    if (!m_following) m_session.pickModules(selectedModules());
    showSelectionCount();
}

void ModelPanel::showSelectionCount() {
    const QModelIndex current = m_filtered->mapToSource(m_tree->currentIndex());
    const bool module = current.isValid() && m_model->node(current).kind == ModuleTree::Kind::Module;
    m_selectAlike->setEnabled(module);
    m_selectAlike->setText(module ? tr("&Select every %1").arg(m_model->node(current).name.section(QLatin1Char('.'), -1)) : tr("&Select all like this"));
    m_selectAlike->setToolTip(module ? m_model->node(current).kin : tr("Pick a module first."));
    const auto picked = static_cast<int>(selectedModules().size());
    m_picked->setText(picked == 0 ? QString() : tr("%n selected", nullptr, picked));
    m_picked->setToolTip(tr("%n module(s) that a recipe can name are selected", nullptr, picked));
    m_actions->update();
}

QModelIndexList ModelPanel::selectedRows() const {
    // QItemSelectionModel::selectedRows() asks every range about every row: minutes for the experts of a large model.
    QModelIndexList rows;
    for (const QItemSelectionRange& range : m_tree->selectionModel()->selection())
        for (int row = range.top(); row <= range.bottom(); ++row) rows << m_filtered->index(row, 0, range.parent());
    return rows;
}

QStringList ModelPanel::selectedModules() const {
    QMap<quintptr, QString> modules;  // by node, which is the model's order
    const std::function<void(const QModelIndex&)> collect = [&](const QModelIndex& index) {
        const QModelIndex source = m_filtered->mapToSource(index);
        if (isQuantizable(m_model->node(source))) modules.insert(source.internalId(), m_model->node(source).name);
        for (int row = 0; row < m_filtered->rowCount(index); ++row) collect(m_filtered->index(row, 0, index));
    };
    for (const QModelIndex& row : selectedRows()) collect(row);
    return modules.values();
}

void ModelPanel::selectAlike() {
    const QModelIndex current = m_filtered->mapToSource(m_tree->currentIndex());
    if (!current.isValid()) return;
    selectRows(m_model->alike(current.siblingAtColumn(0)));
}

void ModelPanel::selectRows(const QModelIndexList& rows) {
    QItemSelection all;
    QSet<QModelIndex> groups;
    for (const QModelIndex& source : rows) {
        const QModelIndex row = m_filtered->mapFromSource(source);
        if (!row.isValid()) continue;
        all.append(QItemSelectionRange(row));
        groups.insert(row.parent());
    }
    if (groups.size() <= MaxUnfolded)
        for (const QModelIndex& group : groups) m_tree->expand(group);
    m_tree->selectionModel()->select(all, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
}

void ModelPanel::copySelection() {
    QModelIndexList rows;
    for (const QModelIndex& row : selectedRows()) rows << m_filtered->mapToSource(row);
    QApplication::clipboard()->setText(m_model->plainText(rows));
}

}  // namespace calibench
