#include "ui/lens/channel_list.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHeaderView>
#include <QTreeView>
#include <QVBoxLayout>

#include "ui/command.h"
#include "ui/models/bar_delegate.h"
#include "ui/plots/plot_table.h"

namespace calibench {

namespace {

constexpr int64_t Shown = 50;

}  // namespace

ChannelList::ChannelList(QWidget* parent) : QWidget(parent), m_kind(new QComboBox), m_view(new QTreeView), m_model(new ChannelModel(this)) {
    m_kind->addItems({tr("Most affected rows"), tr("Most affected columns")});
    m_kind->setToolTip(tr("Rows are output channels, columns are input channels. A click shows the channel in the map."));
    m_kind->setAccessibleName(tr("Rows or columns"));
    connect(m_kind, &QComboBox::currentIndexChanged, this, &ChannelList::ask);

    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.92);
    m_view->setFont(small);
    m_view->header()->setFont(small);
    m_view->setModel(m_model);
    m_view->setItemDelegate(new BarDelegate(m_view));
    m_view->setRootIsDecorated(false);
    m_view->setUniformRowHeights(true);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setAlternatingRowColors(true);
    m_view->setAccessibleName(tr("Most affected channels"));
    m_view->header()->setMinimumSectionSize(20);
    m_view->header()->setStretchLastSection(false);
    m_view->header()->setSectionResizeMode(QHeaderView::Stretch);  // four short numbers, however narrow the list is
    connect(m_view, &QTreeView::clicked, this, &ChannelList::pick);
    connect(m_view, &QTreeView::activated, this, &ChannelList::pick);
    const auto* copyRows = addCommand({{}, tr("&Copy as table"), QKeySequence::Copy, tr("Copy these channels, with all digits and tabs between them")}, m_view);
    connect(copyRows, &QAction::triggered, this, &ChannelList::copy);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_kind);
    layout->addWidget(m_view, 1);
}

void ChannelList::setSlide(const Slide& slide) {
    if (m_slide == slide) return;
    m_slide = slide;
    m_task.forget();
    if (m_slide.weight)
        ask();
    else
        m_model->setChannels({});
}

void ChannelList::showColumns(bool columns) { m_kind->setCurrentIndex(columns ? 1 : 0); }

void ChannelList::ask() {
    if (!m_slide.weight) return;
    const bool columns = m_kind->currentIndex() == 1;
    m_task.ask([weight = m_slide.weight, columns] { return columns ? weight->worst_columns(Shown) : weight->worst_rows(Shown); },
               [this](Outcome<std::vector<ChannelError>> outcome) {
                   if (outcome.value) m_model->setChannels(std::move(*outcome.value));
               });
}

void ChannelList::pick(const QModelIndex& index) {
    if (!index.isValid()) return;
    const int64_t channel = m_model->channels()[static_cast<size_t>(index.row())].index;
    if (m_kind->currentIndex() == 1)
        Q_EMIT columnPicked(channel);
    else
        Q_EMIT rowPicked(channel);
}

void ChannelList::copy() const {
    PlotTable table{.header = {m_kind->currentIndex() == 1 ? tr("Column") : tr("Row"), tr("Share of the error"), tr("SQNR in dB"), tr("Largest error")}, .rows = {}};
    for (const ChannelError& channel : m_model->channels())
        table.rows << QStringList{PlotTable::cell(channel.index), PlotTable::cell(channel.error_share), PlotTable::cell(channel.sqnr_db), PlotTable::cell(channel.max_abs_error)};
    QApplication::clipboard()->setText(table.text());
}

}  // namespace calibench
