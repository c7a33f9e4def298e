#include "ui/panels/state_page.h"

#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace calibench {

StatePage::StatePage(QWidget* content, QWidget* parent)
    : QStackedWidget(parent), m_content(content), m_sentence(new QLabel), m_button(new QPushButton), m_busy(new QProgressBar),
      m_notice(makeNotice()) {
    addWidget(m_notice);
    addWidget(m_content);
}

QWidget* StatePage::makeNotice() {
    auto* notice = new QWidget;
    auto* layout = new QVBoxLayout(notice);
    layout->setContentsMargins(16, 16, 16, 16);
    layout->setSpacing(12);
    m_sentence->setWordWrap(true);
    m_sentence->setAlignment(Qt::AlignCenter);
    m_busy->setRange(0, 0);
    m_busy->setTextVisible(false);
    m_busy->setMaximumWidth(240);
    layout->addStretch();
    layout->addWidget(m_sentence);
    layout->addWidget(m_busy, 0, Qt::AlignHCenter);
    layout->addWidget(m_button, 0, Qt::AlignHCenter);
    layout->addStretch();
    connect(m_button, &QPushButton::clicked, this, [this] {
        if (m_action) m_action();
    });
    return notice;
}

void StatePage::showEmpty(const QString& sentence, const QString& buttonText, std::function<void()> action) {
    m_sentence->setText(sentence);
    m_action = std::move(action);
    m_button->setText(buttonText);
    m_button->setVisible(!buttonText.isEmpty());
    m_busy->hide();
    setCurrentWidget(m_notice);
}

void StatePage::showLoading(const QString& what) {
    m_sentence->setText(what);
    m_button->hide();
    m_busy->show();
    setCurrentWidget(m_notice);
}

void StatePage::showContent() { setCurrentWidget(m_content); }

bool StatePage::showsContent() const { return currentWidget() == m_content; }

QString StatePage::sentence() const { return m_sentence->text(); }

}  // namespace calibench
