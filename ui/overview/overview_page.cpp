#include "ui/overview/overview_page.h"

#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QScopedValueRollback>
#include <QSplitter>
#include <QToolButton>
#include <QTreeView>

#include <algorithm>

#include "ui/command.h"
#include "ui/format.h"
#include "ui/overview/overview_map.h"
#include "ui/overview/overview_model.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/row_table.h"
#include "ui/panels/state_page.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

OverviewPage::OverviewPage(Session& session, const RunController& controller, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_loader(session.services()), m_model(new OverviewModel(m_loader, this)),
      m_filtered(new OverviewFilter(*m_model, this)), m_map(new OverviewMap(session, m_loader)), m_table(new QTreeView), m_text(new QLineEdit),
      m_metric(new QComboBox), m_limited(new QCheckBox), m_limit(new QDoubleSpinBox), m_state(new QLabel), m_progress(new QProgressBar), m_stop(new QToolButton) {
    m_page = new StatePage(makeContent());
    fill(this, {m_page});

    connect(&m_loader, &OverviewLoader::progressed, this, &OverviewPage::showState);
    // The worst are in sight while rows find their places, until the user goes through them.
    connect(&m_loader, &OverviewLoader::rowsChanged, m_table, [this] {
        if (!m_table->hasFocus()) m_table->scrollToTop();
    }, Qt::QueuedConnection);
    connect(&m_session, &Session::modelChanged, this, &OverviewPage::look);
    connect(&m_session, &Session::recipeChecked, this, &OverviewPage::look);
    connect(&m_session, &Session::selectionChanged, this, &OverviewPage::showSelection);
    connect(&m_session, &Session::selectionChanged, m_map, &OverviewMap::setSelectedModule);
    connect(m_map, &OverviewMap::moduleClicked, &m_session, &Session::selectModule);
    connect(&m_controller, &RunController::recordCleared, this, &OverviewPage::look);
    connect(&m_controller, &RunController::stateChanged, this, &OverviewPage::look);
    connect(&m_controller, &RunController::snapshotArrived, this, [this](const RunSnapshot& snapshot) {
        if (!snapshot.blocksFinished.empty()) look();
    });
    setMetric(m_metric->currentIndex());
    showState();
}

OverviewPage::~OverviewPage() {
    // The table asks for its rows when it is hidden, and the loader that has them is a member: the table goes first.
    delete m_page;
}

QWidget* OverviewPage::makeContent() {
    makeTable();
    auto* parts = new QSplitter(Qt::Vertical);
    parts->addWidget(m_map);
    parts->addWidget(m_table);
    parts->setStretchFactor(0, 2);
    parts->setStretchFactor(1, 3);
    parts->setHandleWidth(3);
    m_map->setMinimumHeight(140);
    parts->setSizes({220, 280});
    return makePage({makeControls(), parts});
}

QWidget* OverviewPage::makeControls() {
    styleFilterField(m_text, tr("Filter by name, scheme or reason"), tr("Filter of the modules by text"));
    connect(m_text, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_filtered->setText(text);
        showState();
    });
    for (const Metric& each : metrics()) m_metric->addItem(each.name);
    for (int i = 0; i < m_metric->count(); ++i) m_metric->setItemData(i, metrics()[static_cast<size_t>(i)].help, Qt::ToolTipRole);
    m_metric->setCurrentIndex(static_cast<int>(MetricKind::Sqnr));
    m_metric->setAccessibleName(tr("Number shown in the map"));
    m_metric->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_metric->setMinimumContentsLength(9);
    connect(m_metric, &QComboBox::currentIndexChanged, this, &OverviewPage::setMetric);
    m_limited->setToolTip(tr("Show only modules whose number is worse than this"));
    m_limit->setDecimals(1);
    m_limit->setRange(-200, 1e6);
    m_limit->setMaximumWidth(88);
    m_limit->setAccessibleName(tr("Limit"));
    connect(m_limited, &QCheckBox::toggled, this, &OverviewPage::applyLimit);
    connect(m_limit, &QDoubleSpinBox::valueChanged, this, &OverviewPage::applyLimit);
    styleProgress(m_progress);
    m_stop->setAutoRaise(true);
    m_stop->setIconSize({16, 16});
    connect(m_stop, &QToolButton::clicked, this, [this] { m_loader.busy() ? m_loader.cancel() : m_loader.resume(); });
    return makeBar({m_text, m_metric, m_limited, m_limit, m_state, m_progress, m_stop});
}

void OverviewPage::makeTable() {
    // A row that the filter hides hands the selection to its neighbour, which nobody has chosen: connected before the table's
    // selection, so that it is known when the selection moves.
    for (const auto signal : {&QAbstractItemModel::rowsAboutToBeRemoved, &QAbstractItemModel::rowsAboutToBeInserted})
        connect(m_filtered, signal, this, [this] { m_following = true; });
    m_table->setModel(m_filtered);
    for (const auto signal : {&QAbstractItemModel::rowsRemoved, &QAbstractItemModel::rowsInserted})
        connect(m_filtered, signal, this, [this] { m_following = false; });
    m_table->setTextElideMode(Qt::ElideMiddle);  // modules differ at the end of their names, reasons say most at their beginning
    styleRowTable(m_table, font(), tr("All modules, the worst first"));
    m_table->sortByColumn(OverviewModel::columnOf(MetricKind::Badness), Qt::DescendingOrder);
    m_table->header()->setStretchLastSection(true);
    const int digit = QFontMetrics(m_table->font()).horizontalAdvance(QLatin1Char('0'));
    for (int column = 0; column < OverviewModel::NUM_COLUMNS; ++column) {
        const int header = QFontMetrics(m_table->font()).horizontalAdvance(m_model->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString()) + 28;  // and the arrow of the order
        m_table->setColumnWidth(column, column == OverviewModel::ModuleColumn ? 30 * digit : column == OverviewModel::ReasonColumn ? 56 * digit : std::max(8 * digit, header));
    }
    // What is read first stands first: the reason beside the badness.
    m_table->header()->moveSection(m_table->header()->visualIndex(OverviewModel::ReasonColumn), 2);

    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &OverviewPage::takeSelection);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &OverviewPage::takePicked);
    connect(m_table, &QTreeView::activated, this, [this] {
        takeSelection();
        Q_EMIT errorRequested();
    });
    const auto* showError = addCommand({{}, tr("&Show its error"), {}, tr("Look at the module value by value (Enter)")}, m_table);
    const auto* copyRows = addCommand({{}, tr("&Copy rows"), QKeySequence::Copy, tr("Copy the selected rows, with all digits and tabs between them")}, m_table);
    connect(showError, &QAction::triggered, this, &OverviewPage::errorRequested);
    connect(copyRows, &QAction::triggered, this, &OverviewPage::copy);
}

void OverviewPage::look() {
    if (m_session.modelState() != Session::ModelState::Ready) {
        m_loader.want({});
    } else if (isVisible() && !m_session.checkingRecipe()) {  // else when shown: it reads the whole model
        m_loader.want(allSpecimens(m_session, m_controller));
    }
    showState();
}

void OverviewPage::showState() {
    const int all = static_cast<int>(m_loader.modules().size());
    const auto known = static_cast<int>(m_loader.countKnown());
    if (all == 0) {
        m_page->showEmpty(tr("Every module will show here with what quantization does to it, once a recipe quantizes one."));
        return;
    }
    if (known == 0 && !m_loader.error().isEmpty()) {
        m_page->showEmpty(m_loader.error(), tr("Try again"), [this] { m_loader.resume(); });
        return;
    }
    m_page->showContent();
    const bool busy = m_loader.busy();
    m_progress->setVisible(busy);
    m_progress->setRange(0, all);
    m_progress->setValue(known);
    m_stop->setVisible(busy || known < all);
    m_stop->setIcon(symbolicIcon(busy ? QStringLiteral("stop") : QStringLiteral("run")));
    m_stop->setToolTip(busy ? tr("Stop looking; what is known stays") : tr("Look at the modules that are still unknown"));
    m_stop->setAccessibleName(m_stop->toolTip());
    const int shown = m_filtered->rowCount();
    m_state->setText(!m_loader.error().isEmpty() ? tr("stopped") : known < all ? tr("%1 of %2").arg(formatCount(known), formatCount(all)) : shown < all ? tr("%1 of %2 shown").arg(formatCount(shown), formatCount(all)) : tr("%n module(s)", nullptr, all));
    m_state->setToolTip(m_loader.error());
}

void OverviewPage::setMetric(int index) {
    const auto kind = static_cast<MetricKind>(index);
    const Metric& chosen = metricOf(kind);
    m_map->setMetric(kind);
    m_metric->setToolTip(tr("Shown in the map: %1").arg(chosen.help));
    m_limited->setText(chosen.lowIsBad ? tr("below") : tr("above"));
    m_limit->setSuffix(chosen.unit.isEmpty() ? QString() : QLatin1Char(' ') + chosen.unit);
    if (m_limited->isChecked()) applyLimit();
}

void OverviewPage::applyLimit() {
    m_filtered->setLimit(m_map->metricKind(), m_limited->isChecked() ? std::optional(m_limit->value()) : std::nullopt);
    showState();
}

void OverviewPage::showSelection(const QString& module) {
    const QModelIndex index = m_filtered->mapFromSource(m_model->indexOf(module));
    if (!index.isValid() || index.row() == m_table->currentIndex().row()) return;
    const QScopedValueRollback following(m_following, true);
    const bool picked = m_table->selectionModel()->isSelected(index);  // with others, which stay so
    m_table->selectionModel()->setCurrentIndex(index, picked ? QItemSelectionModel::NoUpdate : QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    m_table->scrollTo(index);
}

void OverviewPage::takeSelection() {
    const QModelIndex current = m_table->currentIndex();
    if (!m_following && current.isValid()) m_session.selectModule(current.data(OverviewModel::ModuleRole).toString());
}

void OverviewPage::takePicked() {
    if (m_following) return;
    QList<int> rows = selectedSourceRows(*m_table);
    if (rows.isEmpty()) return m_session.pickModules({});
    const auto nameOf = [this](int row) { return m_model->index(row, 0).data(OverviewModel::ModuleRole).toString(); };
    const QString first = nameOf(rows.front());
    std::sort(rows.begin(), rows.end());
    QStringList modules;
    for (const int row : rows) modules << nameOf(row);
    m_session.pickModules(modules);
    if (!modules.contains(m_session.selectedModule())) m_session.selectModule(first);  // Select all leaves the current row where it was, which a filter may hide
}

void OverviewPage::copy() const { QApplication::clipboard()->setText(m_model->plainText(selectedSourceRows(*m_table))); }

void OverviewPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    look();
}

}  // namespace calibench
