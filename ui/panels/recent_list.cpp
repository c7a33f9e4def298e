#include "ui/panels/recent_list.h"

#include <QFileInfo>
#include <QHeaderView>
#include <QKeyEvent>

#include <algorithm>

#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

namespace {

enum Column { NameColumn, FolderColumn, ForgetColumn, NumColumns };
constexpr int KindRole = Qt::UserRole;
constexpr int PathRole = Qt::UserRole + 1;

}  // namespace

RecentList::RecentList(Settings& settings, QWidget* parent) : QTreeWidget(parent), m_settings(settings) {
    setColumnCount(NumColumns);
    setHeaderHidden(true);
    setRootIsDecorated(false);
    setUniformRowHeights(true);
    setAllColumnsShowFocus(true);
    setTextElideMode(Qt::ElideMiddle);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setAccessibleName(tr("Recent projects and models"));
    header()->setStretchLastSection(false);
    header()->setMinimumSectionSize(16);
    header()->setSectionResizeMode(NameColumn, QHeaderView::ResizeToContents);
    header()->setSectionResizeMode(FolderColumn, QHeaderView::Stretch);
    header()->setSectionResizeMode(ForgetColumn, QHeaderView::ResizeToContents);
    connect(this, &QTreeWidget::itemClicked, this, [this](const QTreeWidgetItem* item, int column) { column == ForgetColumn ? forget(item) : open(item); });
    connect(&m_settings, &Settings::recentChanged, this, &RecentList::fill);
    fill();
}

QSize RecentList::sizeHint() const {
    const int rows = topLevelItemCount();
    return {320, 2 * frameWidth() + (rows > 0 ? rows * sizeHintForRow(0) : 0)};
}

void RecentList::fill() {
    const int row = indexOfTopLevelItem(currentItem());
    clear();
    const auto add = [this](Settings::Recent kind, const QString& icon, const QString& path) {
        const QFileInfo info(path);
        auto* item = new QTreeWidgetItem(this);
        const bool exists = info.exists();
        item->setIcon(NameColumn, symbolicIcon(icon));
        item->setText(NameColumn, kind == Settings::Recent::Projects ? info.completeBaseName() : info.fileName());
        item->setText(FolderColumn, info.path());
        item->setIcon(ForgetColumn, symbolicIcon(QStringLiteral("close")));
        item->setToolTip(ForgetColumn, tr("Forget %1 (Del); the files stay").arg(path));
        item->setData(NameColumn, Qt::AccessibleTextRole, exists ? path : tr("%1, no longer there").arg(path));
        item->setData(NameColumn, KindRole, static_cast<int>(kind));
        item->setData(NameColumn, PathRole, path);
        for (const int column : {NameColumn, FolderColumn}) item->setToolTip(column, exists ? path : tr("%1 is no longer there").arg(path));
        item->setForeground(FolderColumn, mutedText(palette()));
        if (!exists) item->setForeground(NameColumn, palette().color(QPalette::Disabled, QPalette::Text));
    };
    for (const QString& path : m_settings.recent(Settings::Recent::Projects)) add(Settings::Recent::Projects, QStringLiteral("recipe"), path);
    for (const QString& path : m_settings.recent(Settings::Recent::Models)) add(Settings::Recent::Models, QStringLiteral("model"), path);
    setCurrentItem(topLevelItem(std::min(std::max(row, 0), topLevelItemCount() - 1)));
    setFixedHeight(sizeHint().height());
}

void RecentList::keyPressEvent(QKeyEvent* event) {
    if (currentItem() && event->key() == Qt::Key_Delete) return forget(currentItem());
    if (currentItem() && (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)) return open(currentItem());
    QTreeWidget::keyPressEvent(event);
}

void RecentList::open(const QTreeWidgetItem* item) {
    const QString path = item->data(NameColumn, PathRole).toString();
    if (!QFileInfo::exists(path)) return;
    if (static_cast<Settings::Recent>(item->data(NameColumn, KindRole).toInt()) == Settings::Recent::Projects)
        Q_EMIT projectChosen(path);
    else
        Q_EMIT modelChosen(path);
}

void RecentList::forget(const QTreeWidgetItem* item) {
    const auto kind = static_cast<Settings::Recent>(item->data(NameColumn, KindRole).toInt());
    m_settings.removeRecent(kind, item->data(NameColumn, PathRole).toString());  // fill() takes the item away
}

}  // namespace calibench
