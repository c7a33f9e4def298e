#include "ui/panels/warnings_panel.h"

#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QMenu>
#include <QScrollBar>
#include <QToolButton>
#include <QTreeView>

#include <algorithm>

#include "ui/command.h"
#include "ui/models/warning_filter.h"
#include "ui/models/warning_model.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/row_table.h"
#include "ui/panels/state_page.h"
#include "ui/theme.h"

namespace calibench {

using Kind = Warning::Kind;

WarningsPanel::WarningsPanel(WarningModel& warnings, QWidget* parent)
    : QWidget(parent), m_warnings(warnings), m_filter(new WarningFilter(this)), m_view(new QTreeView), m_page(new StatePage(m_view)),
      m_text(new QLineEdit), m_kinds(new QComboBox), m_ignored(new QCheckBox) {
    const auto make = [this](const QString& icon, const QString& text, const QKeySequence& shortcut, const QString& help) {
        return addCommand({icon, text, shortcut, help}, m_view);
    };
    showPlace = make(QStringLiteral("search"), tr("&Show"), {}, tr("Select the module and open the plot that shows it (Enter)"));
    ignore = make(QStringLiteral("ignore"), tr("&Ignore"), QKeySequence::Delete, tr("Hide the selected warnings"));
    ignoreKind = make({}, tr("Ignore all of this &kind"), {}, tr("Hide every warning of this kind that has come so far"));
    restore = make({}, tr("Stop i&gnoring"), {}, tr("Count the selected warnings again"));
    copy = make({}, tr("&Copy as table"), QKeySequence::Copy, tr("Copy the selected rows, or all, with tabs between the columns"));
    connect(showPlace, &QAction::triggered, this, [this] { requestPlace(m_view->currentIndex()); });
    connect(ignore, &QAction::triggered, this, [this] { m_warnings.setIgnored(selectedSourceRows(*m_view), true); });
    connect(restore, &QAction::triggered, this, [this] { m_warnings.setIgnored(selectedSourceRows(*m_view), false); });
    connect(ignoreKind, &QAction::triggered, this, [this] {
        if (const auto kind = currentKind()) m_warnings.ignoreKind(*kind);
    });
    connect(copy, &QAction::triggered, this, &WarningsPanel::copyTable);

    m_filter->setSourceModel(&m_warnings);
    makeView();
    fill(this, {makeBar(), m_page});

    connect(&m_warnings, &WarningModel::countChanged, this, &WarningsPanel::refresh);
    connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &WarningsPanel::refresh);
    refresh();
}

void WarningsPanel::makeView() {
    m_view->setModel(m_filter);
    m_view->setRootIsDecorated(false);
    m_view->setUniformRowHeights(true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setAlternatingRowColors(true);
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_view->setAccessibleName(tr("Warnings"));
    m_view->setSortingEnabled(true);
    m_view->sortByColumn(-1, Qt::AscendingOrder);  // as they came
    QHeaderView* header = m_view->header();
    header->setStretchLastSection(false);
    header->setSectionResizeMode(WarningModel::MessageColumn, QHeaderView::Stretch);
    const int digit = fontMetrics().horizontalAdvance(QLatin1Char('0'));
    const auto setWidth = [&](WarningModel::Column column, int digits) { m_view->setColumnWidth(column, digits * digit); };
    setWidth(WarningModel::KindColumn, 20);
    setWidth(WarningModel::ModuleColumn, 34);
    setWidth(WarningModel::CountColumn, 8);
    setWidth(WarningModel::TimeColumn, 10);

    const auto showOne = [this](const QModelIndex& index) {
        if (m_view->selectionModel()->selectedRows().size() <= 1) requestPlace(index);  // a selection of many is for ignoring or copying
    };
    connect(m_view, &QTreeView::clicked, this, showOne);
    connect(m_view, &QTreeView::activated, this, showOne);
    // Keep the newest in sight, unless the user has scrolled up to read.
    connect(m_filter, &QAbstractItemModel::rowsAboutToBeInserted, this, [this] {
        const QScrollBar* bar = m_view->verticalScrollBar();
        if (bar->value() == bar->maximum()) QMetaObject::invokeMethod(m_view, &QTreeView::scrollToBottom, Qt::QueuedConnection);
    });
    connect(m_filter, &QAbstractItemModel::rowsInserted, this, &WarningsPanel::refresh);
    connect(m_filter, &QAbstractItemModel::rowsRemoved, this, &WarningsPanel::refresh);
}

QWidget* WarningsPanel::makeBar() {
    m_text->setPlaceholderText(tr("Filter"));
    m_text->setClearButtonEnabled(true);
    m_text->setAccessibleName(tr("Filter of the warnings by text"));
    m_text->setToolTip(tr("Only warnings whose module or sentence holds this text"));
    m_text->setMinimumWidth(120);
    m_text->setMaximumWidth(240);
    connect(m_text, &QLineEdit::textChanged, m_filter, &WarningFilter::setText);
    connect(m_text, &QLineEdit::textChanged, this, &WarningsPanel::refresh);

    m_kinds->setAccessibleName(tr("Filter of the warnings by kind"));
    m_kinds->addItem(tr("All kinds"));
    for (const Kind kind : {Kind::General, Kind::NotFinite, Kind::Plateau, Kind::ClippedRange, Kind::Outliers, Kind::StarvedExpert})
        m_kinds->addItem(WarningModel::iconOf(kind), WarningModel::nameOf(kind), static_cast<int>(kind));
    connect(m_kinds, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_filter->setKind(index > 0 ? std::optional(static_cast<Kind>(m_kinds->currentData().toInt())) : std::nullopt);
        refresh();
    });
    connect(m_ignored, &QCheckBox::toggled, this, [this](bool shown) {
        m_filter->setIgnoredShown(shown);
        refresh();
    });

    auto* bar = new QWidget;
    auto* layout = new QHBoxLayout(bar);
    layout->setContentsMargins(4, 2, 8, 2);
    layout->setSpacing(4);
    layout->addWidget(m_text, 1);
    layout->addWidget(m_kinds);
    layout->addStretch(1);
    const auto addButton = [&](QAction* action) {
        auto* button = new QToolButton;
        button->setDefaultAction(action);
        button->setAutoRaise(true);
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        layout->addWidget(button);
        return button;
    };
    addButton(showPlace);
    QToolButton* ignoring = addButton(ignore);
    auto* menu = new QMenu(ignoring);
    menu->setToolTipsVisible(true);
    menu->addActions({ignoreKind, restore});
    ignoring->setMenu(menu);
    ignoring->setPopupMode(QToolButton::MenuButtonPopup);
    layout->addWidget(m_ignored);
    return bar;
}

void WarningsPanel::refresh() {
    const QList<int> rows = selectedSourceRows(*m_view);
    const bool someIgnored = std::any_of(rows.begin(), rows.end(), [this](int row) { return m_warnings.index(row, 0).data(WarningModel::IgnoredRole).toBool(); });
    const QString nothing = tr("Select a warning first.");
    allow(showPlace, rows.size() == 1 ? QString() : rows.empty() ? nothing : tr("Select one warning only."));
    allow(ignore, rows.empty() ? nothing : QString());
    allow(ignoreKind, currentKind() ? QString() : nothing);
    allow(restore, someIgnored ? QString() : tr("Select a warning that is ignored first."));
    allow(copy, m_filter->rowCount() > 0 ? QString() : tr("There is nothing to copy."));

    const int ignored = m_warnings.ignoredCount();
    m_ignored->setText(tr("Show ignored (%n)", nullptr, ignored));
    m_ignored->setToolTip(ignored > 0 ? tr("Show the ignored warnings too") : tr("No warning is ignored."));
    m_ignored->setEnabled(ignored > 0 || m_ignored->isChecked());

    if (m_filter->rowCount() > 0)
        m_page->showContent();
    else if (m_warnings.shownCount() > 0)
        m_page->showEmpty(tr("No warning fits the filter."), tr("Show all"), [this] {
            m_text->clear();
            m_kinds->setCurrentIndex(0);
        });
    else
        m_page->showEmpty(tr("No warnings."));
}

void WarningsPanel::requestPlace(const QModelIndex& index) {
    if (index.isValid()) Q_EMIT placeRequested(static_cast<Kind>(index.data(WarningModel::KindRole).toInt()), index.data(WarningModel::ModuleRole).toString());
}

std::optional<Kind> WarningsPanel::currentKind() const {
    const QModelIndexList selected = m_view->selectionModel()->selectedRows();
    if (selected.isEmpty()) return {};
    return static_cast<Kind>(selected.first().data(WarningModel::KindRole).toInt());
}

void WarningsPanel::copyTable() const {
    QList<int> rows = selectedSourceRows(*m_view);
    if (rows.isEmpty())
        for (int row = 0; row < m_filter->rowCount(); ++row) rows << m_filter->mapToSource(m_filter->index(row, 0)).row();
    QApplication::clipboard()->setText(m_warnings.plainText(rows));
}

}  // namespace calibench
