#include "ui/palette/command_palette.h"

#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPainter>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

#include "ui/palette/palette_model.h"
#include "ui/theme.h"

namespace calibench {

namespace {

/// A title on the left, and on the right, muted, what the entry has to say of itself.
class EntryDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        return QStyledItemDelegate::sizeHint(option, index).expandedTo({0, option.fontMetrics.height() + 8});
    }

    void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
        QStyledItemDelegate::initStyleOption(option, index);
        if (!index.data(PaletteModel::UsableRole).toBool()) option->palette.setColor(QPalette::Text, option->palette.color(QPalette::Disabled, QPalette::Text));
    }

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        QStyledItemDelegate::paint(painter, option, index);
        const QRect room = option.rect.adjusted(option.fontMetrics.horizontalAdvance(index.data().toString()) + 48, 0, -8, 0);
        if (room.width() < 24) return;
        const bool selected = option.state & QStyle::State_Selected;
        painter->setPen(option.palette.color(QPalette::Active, selected ? QPalette::HighlightedText : QPalette::PlaceholderText));
        const QString detail = index.data(PaletteModel::DetailRole).toString();
        painter->drawText(room, Qt::AlignRight | Qt::AlignVCenter, option.fontMetrics.elidedText(detail, Qt::ElideMiddle, room.width()));
    }
};

}  // namespace

CommandPalette::CommandPalette(QWidget* window)
    : QFrame(window, Qt::Popup), m_model(new PaletteModel(this)), m_edit(new QLineEdit), m_list(new QListView),
      m_nothing(new QLabel(tr("Nothing fits. Try fewer letters."))) {
    setFrameShape(QFrame::StyledPanel);
    setAccessibleName(tr("Command palette"));
    m_edit->setPlaceholderText(tr("A command, module, project, model or recipe"));
    m_edit->setAccessibleName(tr("Search commands, modules and files"));
    m_edit->addAction(symbolicIcon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    m_edit->installEventFilter(this);
    m_list->setModel(m_model);
    m_list->setItemDelegate(new EntryDelegate(m_list));
    m_list->setUniformItemSizes(true);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setFocusPolicy(Qt::NoFocus);  // the arrows work from the line
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setAccessibleName(tr("What fits"));
    m_nothing->setAlignment(Qt::AlignCenter);
    m_nothing->setContentsMargins(8, 8, 8, 8);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(4);
    layout->addWidget(m_edit);
    layout->addWidget(m_nothing);
    layout->addWidget(m_list, 1);
    connect(m_edit, &QLineEdit::textChanged, this, &CommandPalette::filter);
    connect(m_list, &QListView::clicked, this, &CommandPalette::run);
}

void CommandPalette::popUp(std::vector<PaletteEntry> entries) {
    const QWidget* window = parentWidget();
    const QSize size(std::min(720, window->width() - 80), std::min(440, window->height() - 120));
    setGeometry(QRect(window->mapToGlobal(QPoint((window->width() - size.width()) / 2, 64)), size));
    m_model->setEntries(std::move(entries));
    m_edit->clear();
    filter({});
    show();
    m_edit->setFocus(Qt::PopupFocusReason);
}

void CommandPalette::filter(const QString& pattern) {
    m_model->setPattern(pattern);
    m_list->setCurrentIndex(m_model->index(0));
    m_list->scrollToTop();
    m_nothing->setVisible(m_model->rowCount() == 0);
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
    if (watched != m_edit || event->type() != QEvent::KeyPress) return QFrame::eventFilter(watched, event);
    const int row = m_list->currentIndex().row();
    const int page = std::max(1, m_list->viewport()->height() / std::max(1, m_list->sizeHintForRow(0)) - 1);
    const auto go = [this](int to) { m_list->setCurrentIndex(m_model->index(std::clamp(to, 0, std::max(0, m_model->rowCount() - 1)))); };
    switch (static_cast<QKeyEvent*>(event)->key()) {
        case Qt::Key_Down: go(row + 1); return true;
        case Qt::Key_Up: go(row - 1); return true;
        case Qt::Key_PageDown: go(row + page); return true;
        case Qt::Key_PageUp: go(row - page); return true;
        case Qt::Key_Return:
        case Qt::Key_Enter: run(m_list->currentIndex()); return true;
        case Qt::Key_Escape: hide(); return true;
        default: return false;
    }
}

void CommandPalette::run(const QModelIndex& index) {
    if (!index.isValid() || !m_model->entry(index.row()).enabled) return;
    const std::function<void()> command = m_model->entry(index.row()).run;
    hide();  // a command may open a dialog, which must not find a popup in its way
    QMetaObject::invokeMethod(parentWidget(), command, Qt::QueuedConnection);
}

}  // namespace calibench
