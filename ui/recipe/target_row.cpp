#include "ui/recipe/target_row.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QToolButton>

#include "ui/command.h"
#include "ui/format.h"
#include "ui/recipe/setting.h"
#include "ui/recipe/target_matcher.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int NamesInTooltip = 8;

}  // namespace

TargetRow::TargetRow(TargetMatcher& matcher, QWidget* parent)
    : QWidget(parent), m_matcher(matcher), m_edit(new QLineEdit), m_count(new QLabel), m_remove(new QToolButton) {
    m_edit->setPlaceholderText(tr("Class, name or re:pattern"));
    m_edit->setAccessibleName(tr("Target"));
    useFormHabits(m_edit);
    m_edit->installEventFilter(this);
    m_count->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_count->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("0000")));
    m_count->setAccessibleName(tr("Matched modules"));
    m_remove->setIcon(symbolicIcon(QStringLiteral("close")));
    m_remove->setIconSize({12, 12});
    m_remove->setFixedSize(20, 20);
    m_remove->setAutoRaise(true);
    m_remove->setAccessibleName(tr("Remove this target"));
    setHelp(m_remove, tr("Remove this target"));
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_edit, 1);
    layout->addWidget(m_count);
    layout->addWidget(m_remove);
    setFocusProxy(m_edit);

    connect(m_edit, &QLineEdit::textEdited, this, [this] {
        showCount();
        Q_EMIT edited();
        Q_EMIT pointedAtChanged();
    });
    connect(m_remove, &QToolButton::clicked, this, &TargetRow::removeRequested);
    connect(&m_matcher, &TargetMatcher::matched, this, [this] {
        showCount();
        if (isPointedAt()) Q_EMIT pointedAtChanged();
    });
    showCount();
}

QString TargetRow::text() const { return m_edit->text().trimmed(); }

void TargetRow::setText(const QString& text) {
    if (m_edit->text() != text && !(m_unfinished && isBeingEdited()) && this->text() != text) {
        m_edit->setText(text);
        m_edit->setCursorPosition(0);  // a long pattern shows its beginning
    }
    showCount();
}

void TargetRow::setMuted(bool muted) {
    m_muted = muted;
    QPalette colours;
    if (muted) colours.setColor(QPalette::Text, mutedText(palette()));
    m_edit->setPalette(colours);
}

void TargetRow::setRemovalObstacle(const QString& obstacle) {
    allow(m_remove, obstacle);
}

bool TargetRow::isBeingEdited() const { return m_edit->hasFocus(); }

void TargetRow::edit() { m_edit->setFocus(); }

void TargetRow::showCount() {
    QString count, help;
    QColor colour = mutedText(palette());
    const QString obstacle = text().isEmpty() ? QString() : m_matcher.obstacle(text());
    m_unfinished = text().isEmpty() || !obstacle.isEmpty();
    if (!obstacle.isEmpty()) {
        count = QStringLiteral("!");
        help = obstacle + QLatin1Char('\n') + tr("The recipe keeps what it had until this is a pattern.");
        colour = errorColour(palette());
    } else if (!m_unfinished && m_matcher.hasModel()) {
        if (const auto* match = m_matcher.find(text())) {
            const QStringList& modules = match->modules;
            count = formatCount(modules.size());
            help = modules.isEmpty() ? tr("Matches no module of this model") : tr("Matches %n module(s):", nullptr, static_cast<int>(modules.size()));
            for (const QString& name : modules.mid(0, NamesInTooltip)) help += QLatin1Char('\n') + name;
            if (modules.size() > NamesInTooltip) help += QLatin1Char('\n') + tr("and %n more", nullptr, static_cast<int>(modules.size()) - NamesInTooltip);
            if (modules.isEmpty()) colour = warningColour(palette());
        } else {
            count = QStringLiteral("…");
        }
    } else if (!m_unfinished) {
        help = tr("Open a model to see what this matches");
    }
    m_count->setText(count);
    m_count->setToolTip(help);
    m_edit->setToolTip(help.isEmpty() ? tr("A class such as Linear, a module's full name, or re: and a regular expression from its start") : help);
    QPalette colours;
    colours.setColor(QPalette::WindowText, colour);
    m_count->setPalette(colours);
}

bool TargetRow::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut)
        QMetaObject::invokeMethod(this, &TargetRow::pointedAtChanged, Qt::QueuedConnection);  // the focus has moved by then
    return QWidget::eventFilter(watched, event);
}

bool TargetRow::event(QEvent* event) {
    if (event->type() == QEvent::Enter || event->type() == QEvent::Leave) {
        m_hovered = event->type() == QEvent::Enter;
        Q_EMIT pointedAtChanged();
    } else if (event->type() == QEvent::PaletteChange) {
        showCount();
        setMuted(m_muted);
    }
    return QWidget::event(event);
}

}  // namespace calibench
