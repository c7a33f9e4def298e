#include "ui/panels/message_bar.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QToolButton>

#include "ui/theme.h"

namespace calibench {

MessageBar::MessageBar(QWidget* parent)
    : QFrame(parent), m_icon(new QLabel(this)), m_text(new QLabel(this)), m_choices(new QHBoxLayout) {
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    auto* close = new QToolButton(this);
    close->setIcon(symbolicIcon(QStringLiteral("close")));
    close->setAutoRaise(true);
    close->setToolTip(tr("Dismiss this message"));
    close->setAccessibleName(tr("Dismiss"));
    connect(close, &QToolButton::clicked, this, &MessageBar::dismiss);

    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_icon, 0, Qt::AlignTop);
    layout->addWidget(m_text, 1);
    m_choices->setSpacing(4);
    layout->addLayout(m_choices);
    layout->addWidget(close, 0, Qt::AlignTop);
    setAutoFillBackground(true);
    setAccessibleName(tr("Message"));
    hide();
}

void MessageBar::post(Kind kind, const QString& text, const std::vector<Choice>& choices) {
    m_kind = kind;
    m_text->setText(text);
    while (QLayoutItem* item = m_choices->takeAt(0)) {
        item->widget()->hide();
        item->widget()->deleteLater();  // it may be the button whose click brought us here
        delete item;
    }
    for (const Choice& choice : choices) {
        auto* button = new QToolButton(this);
        button->setText(choice.text);
        connect(button, &QToolButton::clicked, this, choice.run);
        m_choices->addWidget(button, 0, Qt::AlignVCenter);
        button->show();
    }
    restyle();
    show();
}

void MessageBar::dismiss() { hide(); }

QString MessageBar::text() const { return m_text->text(); }

void MessageBar::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::ApplicationPaletteChange) restyle();
}

void MessageBar::restyle() {
    const QPalette base = window()->palette();
    const QColor colour = m_kind == Kind::Error     ? errorColour(base)
                          : m_kind == Kind::Warning ? warningColour(base)
                          : m_kind == Kind::Success ? successColour(base)
                                                    : base.color(QPalette::Highlight);
    // A tint of the colour over the window's background keeps the text's contrast in either theme.
    const QColor background = base.color(QPalette::Window);
    const auto mixed = [&](auto channel) { return static_cast<int>(0.86 * (background.*channel)() + 0.14 * (colour.*channel)()); };
    QPalette own = base;
    own.setColor(QPalette::Window, QColor(mixed(&QColor::red), mixed(&QColor::green), mixed(&QColor::blue)));
    setPalette(own);
    const QString name = m_kind == Kind::Success ? QStringLiteral("done") : m_kind == Kind::Info ? QStringLiteral("info") : QStringLiteral("warning");
    m_icon->setPixmap(symbolicIcon(name).pixmap(18, 18));
}

}  // namespace calibench
