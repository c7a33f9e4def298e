#include "ui/recipe/target_list_edit.h"

#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

#include "ui/form_section.h"
#include "ui/recipe/target_row.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr size_t MaxRows = 40;  // nobody reads a thousand names in a form; YAML has them all

}  // namespace

TargetListEdit::TargetListEdit(TargetMatcher& matcher, const QString& title, Emptiness emptiness, QWidget* parent)
    : QWidget(parent), m_matcher(matcher), m_title(title), m_emptiness(emptiness), m_layout(new QVBoxLayout(this)), m_more(new QLabel), m_add(new QToolButton) {
    m_more->setForegroundRole(QPalette::PlaceholderText);
    m_more->hide();
    m_add->setIcon(symbolicIcon(QStringLiteral("add")));
    m_add->setIconSize({12, 12});
    m_add->setText(tr("Add"));
    m_add->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_add->setAutoRaise(true);
    m_add->setToolTip(tr("Add a class, a module's name or a pattern to: %1").arg(title));
    m_add->setAccessibleName(m_add->toolTip());
    connect(m_add, &QToolButton::clicked, this, &TargetListEdit::addTarget);
    setAccessibleName(title);
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setSpacing(4);
    m_layout->addWidget(m_more);
    m_layout->addWidget(m_add, 0, Qt::AlignLeft);
}

void TargetListEdit::show(const RecipePath& path, const Json* list, const QStringList& fallback) {
    if (std::exchange(m_path, path) != path && m_new) drop(std::exchange(m_new, nullptr));
    m_isList = list && list->is_array();
    const bool isSet = list && !list->is_null();
    QStringList texts = isSet ? QStringList() : fallback;
    if (m_isList)
        for (const Json& item : *list) texts << QString::fromStdString(item.is_string() ? item.get<std::string>() : item.dump());
    else if (isSet)
        texts << QString::fromStdString(list->is_string() ? list->get<std::string>() : list->dump());
    m_listed = isSet ? static_cast<size_t>(texts.size()) : 0;

    fitRows(std::min(MaxRows, static_cast<size_t>(texts.size())));
    const QString obstacle = !isSet                                                    ? tr("This is the default; change it, or add a target")
                             : m_emptiness == Emptiness::Refused && m_listed == 1 ? tr("A group needs a target; remove the group instead")
                                                                                       : QString();
    for (size_t i = 0; i < m_rows.size(); ++i) {
        m_rows[i]->setText(texts[static_cast<qsizetype>(i)]);
        m_rows[i]->setMuted(!isSet);
        m_rows[i]->setRemovalObstacle(obstacle);
    }
    const auto hidden = static_cast<int>(texts.size()) - static_cast<int>(m_rows.size());
    m_more->setText(tr("and %n more in YAML", nullptr, hidden));
    m_more->setVisible(hidden > 0);
}

void TargetListEdit::addTarget() {
    if (!m_new) {
        m_new = makeRow();
        m_new->setRemovalObstacle({});
        m_layout->insertWidget(m_layout->indexOf(m_add), m_new);
        placeInTabOrder(m_new, m_add);
        m_new->show();
    }
    m_new->edit();
}

void TargetListEdit::editFirst() {
    if (!m_rows.empty()) m_rows.front()->edit();
}

TargetRow* TargetListEdit::makeRow() {
    auto* row = new TargetRow(m_matcher, this);
    row->setAccessibleName(m_title);
    connect(row, &TargetRow::edited, this, [this, row] { typed(row); });
    connect(row, &TargetRow::removeRequested, this, [this, row] { remove(row); });
    connect(row, &TargetRow::pointedAtChanged, this, &TargetListEdit::point);
    return row;
}

void TargetListEdit::drop(TargetRow* row) {
    row->disconnect(this);
    row->hide();
    row->deleteLater();  // it may be in the middle of saying so
    point();
}

void TargetListEdit::fitRows(size_t count) {
    while (m_rows.size() > count) {
        TargetRow* row = m_rows.back();
        m_rows.pop_back();
        drop(row);
    }
    while (m_rows.size() < count) {
        TargetRow* row = makeRow();
        m_layout->insertWidget(static_cast<int>(m_rows.size()), row);
        placeInTabOrder(row, m_add);
        m_rows.push_back(row);
    }
}

size_t TargetListEdit::indexOf(const TargetRow* row) const {
    return static_cast<size_t>(std::find(m_rows.begin(), m_rows.end(), row) - m_rows.begin());
}

void TargetListEdit::typed(TargetRow* row) {
    if (row->isUnfinished()) return;
    size_t index = indexOf(row);
    if (row == m_new) {
        index = m_listed;
        m_new = nullptr;
        if (m_listed < MaxRows)
            m_rows.push_back(row);
        else
            drop(row);
    }
    if (m_isList) {
        Q_EMIT changed({{below(m_path, {std::to_string(index)}), Json(row->text().toStdString()), true}});
        return;
    }
    Json texts = Json::array();
    for (const TargetRow* each : m_rows)
        if (!each->isUnfinished()) texts.push_back(each->text().toStdString());
    Q_EMIT changed({{m_path, std::move(texts), true}});
}

void TargetListEdit::remove(TargetRow* row) {
    if (row == m_new) {
        m_add->setFocus();
        drop(std::exchange(m_new, nullptr));
        return;
    }
    const size_t index = indexOf(row);
    if (row->isBeingEdited() && m_rows.size() > 1) m_rows[index > 0 ? index - 1 : 1]->edit();
    const bool whole = !m_isList || m_listed == 1;
    Q_EMIT changed({{whole ? m_path : below(m_path, {std::to_string(index)}), std::nullopt}});
}

void TargetListEdit::point() {
    std::vector<TargetRow*> rows = m_rows;
    if (m_new) rows.push_back(m_new);
    auto found = std::find_if(rows.begin(), rows.end(), [](const TargetRow* row) { return row->isHovered(); });
    if (found == rows.end()) found = std::find_if(rows.begin(), rows.end(), [](const TargetRow* row) { return row->isBeingEdited(); });
    Q_EMIT pointedAt(found == rows.end() || (*found)->isUnfinished() ? QString() : (*found)->text());
}

}  // namespace calibench
