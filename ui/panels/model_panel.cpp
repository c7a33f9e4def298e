#include "ui/panels/model_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QFileInfo>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QTreeView>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/format.h"
#include "ui/models/model_tree_model.h"
#include "ui/panels/state_page.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

ModelPanel::ModelPanel(Session& session, const RunController& controller, QWidget* parent)
    : QWidget(parent), m_session(session), m_model(new ModelTreeModel(controller.record(), this)),
      m_filtered(new QSortFilterProxyModel(this)), m_tree(new QTreeView), m_summary(new QLabel), m_filter(new QLineEdit) {
    m_filtered->setSourceModel(m_model);
    m_filtered->setRecursiveFilteringEnabled(true);
    m_filtered->setAutoAcceptChildRows(true);
    m_filtered->setFilterCaseSensitivity(Qt::CaseInsensitive);
    m_filtered->setFilterRole(ModelTreeModel::ModuleRole);
    m_filtered->setDynamicSortFilter(false);  // rows stay where they are while numbers stream

    m_filter->setPlaceholderText(tr("Filter modules"));
    m_filter->setClearButtonEnabled(true);
    m_filter->addAction(symbolicIcon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    m_filter->setAccessibleName(tr("Filter modules"));
    connect(m_filter, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_filtered->setFilterFixedString(text);
        if (!text.isEmpty()) m_tree->expandAll();
    });

    m_tree->setModel(m_filtered);
    m_tree->setUniformRowHeights(true);
    m_tree->setAlternatingRowColors(true);
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setIndentation(12);
    m_tree->setTextElideMode(Qt::ElideLeft);  // modules differ at the end of their names
    m_tree->setFrameShape(QFrame::NoFrame);
    m_tree->setAccessibleName(tr("Blocks and modules"));
    m_tree->header()->setStretchLastSection(true);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.92);
    m_tree->setFont(small);
    const int digit = QFontMetrics(small).horizontalAdvance(QLatin1Char('0'));
    const int widths[] = {16, 14, 8, 10, 17, 11};
    for (int column = 0; column < ModelTreeModel::NUM_COLUMNS; ++column) m_tree->setColumnWidth(column, widths[column] * digit + 6);
    connect(m_tree->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &ModelPanel::currentChanged);

    auto* copy = new QAction(tr("Copy rows"), m_tree);
    copy->setShortcut(QKeySequence::Copy);
    copy->setShortcutContext(Qt::WidgetShortcut);
    connect(copy, &QAction::triggered, this, &ModelPanel::copySelection);
    m_tree->addAction(copy);
    m_tree->setContextMenuPolicy(Qt::ActionsContextMenu);

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
    layout->addWidget(m_tree, 1);

    m_page = new StatePage(content);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(m_page);

    connect(&m_session, &Session::modelChanged, this, &ModelPanel::showModel);
    connect(&m_session, &Session::recipeChecked, this, [this] { m_model->setSchemes(m_session.schemes()); });
    connect(&m_session, &Session::selectionChanged, this, &ModelPanel::showSelection);
    connect(&controller, &RunController::snapshotArrived, m_model, &ModelTreeModel::applySnapshot);
    connect(&controller, &RunController::stateChanged, m_model, &ModelTreeModel::refreshAll);
    showModel();
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
    const ModelSummary& model = m_session.model();
    m_model->setModel(model);
    m_model->setSchemes(m_session.schemes());
    QStringList facts{QString::fromStdString(model.architecture), tr("%n block(s)", nullptr, static_cast<int>(model.num_blocks))};
    if (model.num_experts > 0) facts << tr("%n expert(s)", nullptr, static_cast<int>(model.num_experts));
    facts << tr("%1 parameters").arg(formatCount(model.num_parameters)) << formatBytes(static_cast<double>(model.num_bytes))
          << QString::fromStdString(model.dtype);
    if (!model.quantization_format.empty()) facts << QString::fromStdString(model.quantization_format);
    m_summary->setText(QStringLiteral("<b>%1</b><br>%2").arg(QFileInfo(m_session.modelFolder()).fileName().toHtmlEscaped(),
                                                             facts.join(QStringLiteral(" · ")).toHtmlEscaped()));
    m_summary->setToolTip(m_session.modelFolder());
    m_tree->expand(m_filtered->mapFromSource(m_model->indexOfBlock(0)));
    m_page->showContent();
}

void ModelPanel::showSelection(const QString& module) {
    const QModelIndex index = m_filtered->mapFromSource(m_model->indexOf(module));
    if (!index.isValid() || index == m_tree->currentIndex().siblingAtColumn(0)) return;
    m_tree->setCurrentIndex(index);
    m_tree->scrollTo(index);
}

void ModelPanel::currentChanged(const QModelIndex& current) {
    Q_EMIT blockSelected(current.isValid() ? current.data(ModelTreeModel::BlockRole).toInt() : -1);
    m_session.selectModule(current.data(ModelTreeModel::ModuleRole).toString());
}

void ModelPanel::copySelection() {
    QModelIndexList rows;
    for (const QModelIndex& row : m_tree->selectionModel()->selectedRows()) rows << m_filtered->mapToSource(row);
    std::sort(rows.begin(), rows.end());
    QApplication::clipboard()->setText(m_model->plainText(rows));
}

}  // namespace calibench
