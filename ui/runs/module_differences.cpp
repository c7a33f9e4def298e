#include "ui/runs/module_differences.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QScopedValueRollback>
#include <QTreeView>

#include <algorithm>

#include "ui/command.h"
#include "ui/format.h"
#include "ui/models/table_filter.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/row_table.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

ModuleDifferences::ModuleDifferences(Session& session, QWidget* parent)
    : QWidget(parent), m_session(session), m_model(new ModuleComparison(this)),
      m_filtered(new TableFilter(*m_model, {ModuleComparison::Module, ModuleComparison::Scheme}, ModuleComparison::SortRole, this)), m_table(new QTreeView),
      m_text(new QLineEdit), m_number(new QComboBox), m_state(new QLabel) {
    makeTable();
    fill(this, {makeControls(), m_table});
    connect(&m_session, &Session::selectionChanged, this, &ModuleDifferences::showSelection);
}

QWidget* ModuleDifferences::makeControls() {
    styleFilterField(m_text, tr("Filter by name or scheme"), tr("Filter of the compared modules by text"));
    connect(m_text, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_filtered->setText(text);
        showState();
    });
    for (int i = 0; i < ModuleComparison::CountNumbers; ++i) {
        const auto number = static_cast<ModuleComparison::Number>(i);
        m_number->addItem(ModuleComparison::nameOf(number));
        m_number->setItemData(i, ModuleComparison::helpOf(number), Qt::ToolTipRole);
    }
    m_number->setAccessibleName(tr("Number that is compared"));
    const auto choose = [this](int index) {
        const auto number = static_cast<ModuleComparison::Number>(index);
        m_model->setNumber(number);
        m_number->setToolTip(ModuleComparison::helpOf(number));
    };
    connect(m_number, &QComboBox::currentIndexChanged, this, choose);
    choose(0);
    return makeBar({m_text, m_number, m_state});
}

void ModuleDifferences::makeTable() {
    // As in the overview: a row that the filter hides hands the selection to its neighbour, which nobody has chosen.
    for (const auto signal : {&QAbstractItemModel::rowsAboutToBeRemoved, &QAbstractItemModel::rowsAboutToBeInserted})
        connect(m_filtered, signal, this, [this] { m_following = true; });
    m_table->setModel(m_filtered);
    for (const auto signal : {&QAbstractItemModel::rowsRemoved, &QAbstractItemModel::rowsInserted})
        connect(m_filtered, signal, this, [this] { m_following = false; });
    m_table->setTextElideMode(Qt::ElideMiddle);
    styleRowTable(m_table, font(), tr("Modules of the runs, side by side"));
    m_table->header()->setStretchLastSection(false);
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &ModuleDifferences::takeSelection);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &ModuleDifferences::takePicked);
    const auto* copyRows = addCommand({{}, tr("&Copy modules as table"), QKeySequence::Copy, tr("Copy the selected rows, with all digits and tabs between them")}, m_table);
    connect(copyRows, &QAction::triggered, this, &ModuleDifferences::copy);
}

void ModuleDifferences::setRuns(const std::vector<ComparedRun>& runs) {
    const QScopedValueRollback following(m_following, true);
    const int columns = m_model->columnCount();
    m_model->setRuns(runs);
    if (m_model->columnCount() != columns) layOutColumns();
    showState();
    showSelection(m_session.selectedModule());
}

void ModuleDifferences::layOutColumns() {
    const int digit = QFontMetrics(m_table->font()).horizontalAdvance(QLatin1Char('0'));
    m_table->setColumnWidth(ModuleComparison::Module, 34 * digit);
    m_table->setColumnWidth(ModuleComparison::Scheme, 30 * digit);
    for (int column = ModuleComparison::FirstValue; column < m_model->columnCount(); ++column) m_table->setColumnWidth(column, 11 * digit);
    // Numbers have the room first; schemes may be long.
    m_table->header()->moveSection(m_table->header()->visualIndex(ModuleComparison::Scheme), m_model->columnCount() - 1);
    // What got worse comes first, or of a single run what is worst.
    const bool several = m_model->columnCount() > ModuleComparison::FirstValue + 1;
    m_table->sortByColumn(several ? ModuleComparison::columnOf(1, true) : static_cast<int>(ModuleComparison::FirstValue), Qt::AscendingOrder);
}

void ModuleDifferences::showState() {
    const int all = m_model->rowCount(), shown = m_filtered->rowCount();
    m_state->setText(shown < all ? tr("%1 of %2 shown").arg(formatCount(shown), formatCount(all)) : tr("%n module(s)", nullptr, all));
}

void ModuleDifferences::showSelection(const QString& module) {
    const QModelIndex index = m_filtered->mapFromSource(m_model->indexOf(module));
    if (!index.isValid() || index.row() == m_table->currentIndex().row()) return;
    const QScopedValueRollback following(m_following, true);
    m_table->setCurrentIndex(index);
    m_table->scrollTo(index);
}

void ModuleDifferences::takeSelection() {
    const QModelIndex current = m_table->currentIndex();
    if (!m_following && current.isValid()) m_session.selectModule(current.data(ModuleComparison::ModuleRole).toString());
}

void ModuleDifferences::takePicked() {
    if (m_following) return;
    QList<int> rows = selectedSourceRows(*m_table);
    std::sort(rows.begin(), rows.end());
    QStringList modules;
    for (const int row : rows) modules << m_model->index(row, 0).data(ModuleComparison::ModuleRole).toString();
    m_session.pickModules(modules);
}

void ModuleDifferences::copy() const { QApplication::clipboard()->setText(m_model->plainText(selectedSourceRows(*m_table))); }

}  // namespace calibench
