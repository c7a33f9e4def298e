#include "ui/panels/start_page.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QLayoutItem>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

StartPage::StartPage(Settings& settings, bool hasDemo, QWidget* parent) : QWidget(parent), m_settings(settings), m_recent(new QVBoxLayout) {
    auto* icon = new QLabel;
    icon->setPixmap(QIcon(QStringLiteral(":/calibench/icons/calibench.svg")).pixmap(72, 72));
    auto* title = new QLabel(tr("Drop a model folder here"));
    QFont large = title->font();
    large.setPointSizeF(large.pointSizeF() * 1.6);
    title->setFont(large);
    auto* hint = new QLabel(tr("A Hugging Face directory: config.json, safetensors, tokenizer.json.\nA text or JSONL file to calibrate with and a recipe can be dropped too."));
    hint->setAlignment(Qt::AlignCenter);
    hint->setWordWrap(true);
    hint->setForegroundRole(QPalette::PlaceholderText);

    auto* openButton = new QPushButton(symbolicIcon(QStringLiteral("open")), tr("Open model…"));
    openButton->setDefault(true);
    connect(openButton, &QPushButton::clicked, this, &StartPage::openRequested);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addStretch();
    buttons->addWidget(openButton);
    if (hasDemo) {
        auto* demoButton = new QPushButton(symbolicIcon(QStringLiteral("run")), tr("Open the demo"));
        demoButton->setToolTip(tr("A small Llama trained on Shakespeare, with text and recipe, ready to run"));
        connect(demoButton, &QPushButton::clicked, this, &StartPage::demoRequested);
        buttons->addWidget(demoButton);
    }
    buttons->addStretch();

    auto* layout = new QVBoxLayout(this);
    layout->setSpacing(12);
    layout->addStretch(2);
    layout->addWidget(icon, 0, Qt::AlignHCenter);
    layout->addWidget(title, 0, Qt::AlignHCenter);
    layout->addWidget(hint);
    layout->addLayout(buttons);
    layout->addSpacing(12);
    layout->addLayout(m_recent);
    layout->addStretch(3);
    m_recent->setSpacing(2);
    connect(&m_settings, &Settings::recentChanged, this, &StartPage::fillRecent);
    fillRecent();
}

void StartPage::fillRecent() {
    while (QLayoutItem* item = m_recent->takeAt(0)) {
        if (item->widget()) item->widget()->deleteLater();
        delete item;
    }
    for (const QString& path : m_settings.recentModels()) {
        auto* row = new QWidget;
        auto* layout = new QHBoxLayout(row);
        layout->setContentsMargins(0, 0, 0, 0);
        auto* link = new QToolButton;
        const bool exists = QFileInfo::exists(path);
        link->setText(QFileInfo(path).fileName());
        link->setIcon(symbolicIcon(QStringLiteral("model")));
        link->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        link->setAutoRaise(true);
        link->setEnabled(exists);
        link->setToolTip(exists ? path : tr("%1 is no longer there").arg(path));
        connect(link, &QToolButton::clicked, this, [this, path] { Q_EMIT modelRequested(path); });
        auto* forget = new QToolButton;
        forget->setIcon(symbolicIcon(QStringLiteral("close")));
        forget->setAutoRaise(true);
        forget->setToolTip(tr("Forget %1").arg(path));
        forget->setAccessibleName(tr("Forget %1").arg(path));
        connect(forget, &QToolButton::clicked, this, [this, path] { m_settings.removeRecentModel(path); });
        layout->addStretch();
        layout->addWidget(link);
        layout->addWidget(forget);
        layout->addStretch();
        m_recent->addWidget(row);
    }
}

}  // namespace calibench
