#include "ui/panels/start_page.h"

#include <QCommandLinkButton>
#include <QGridLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/form_section.h"
#include "ui/panels/recent_list.h"
#include "ui/project/samples.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int PageWidth = 720;  // lines that are longer are tiring to read

}  // namespace

StartPage::StartPage(Settings& settings, const QString& resources, QWidget* parent) : QScrollArea(parent) {
    auto* column = new QWidget;
    column->setMaximumWidth(PageWidth);
    auto* layout = new QVBoxLayout(column);
    layout->setContentsMargins(24, 16, 24, 16);
    layout->setSpacing(8);
    layout->addStretch(1);
    addBeginning(layout);
    addRecent(layout, settings);
    addSamples(layout, resources);
    layout->addStretch(2);

    auto* page = new QWidget;
    auto* centred = new QHBoxLayout(page);
    centred->setContentsMargins(0, 0, 0, 0);
    centred->addStretch(1);
    centred->addWidget(column, 100);
    centred->addStretch(1);
    setWidget(page);
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::NoFocus);
}

void StartPage::addBeginning(QVBoxLayout* layout) {
    auto* icon = new QLabel;
    icon->setPixmap(QIcon(QStringLiteral(":/calibench/icons/calibench.svg")).pixmap(48, 48));
    auto* title = new QLabel(tr("Drop a model folder here"));
    QFont large = title->font();
    large.setPointSizeF(large.pointSizeF() * 1.6);
    title->setFont(large);
    auto* heading = new QHBoxLayout;
    heading->setSpacing(12);
    heading->addStretch();
    heading->addWidget(icon);
    heading->addWidget(title);
    heading->addStretch();
    auto* hint = new QLabel(tr("A Hugging Face directory: config.json, safetensors, tokenizer.json. A project, a recipe, and a text or JSONL file to calibrate with can be dropped too."));
    hint->setAlignment(Qt::AlignCenter);
    hint->setWordWrap(true);
    hint->setForegroundRole(QPalette::PlaceholderText);

    auto* model = new QPushButton(symbolicIcon(QStringLiteral("open")), tr("Open model…"));
    model->setDefault(true);
    model->setToolTip(tr("Choose the folder of a Hugging Face model"));
    connect(model, &QPushButton::clicked, this, &StartPage::openModelRequested);
    auto* project = new QPushButton(symbolicIcon(QStringLiteral("recipe")), tr("Open project…"));
    project->setToolTip(tr("Go on with a project that was saved: model, texts, recipe, runs and layout"));
    connect(project, &QPushButton::clicked, this, &StartPage::openProjectRequested);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addStretch();
    buttons->addWidget(model);
    buttons->addWidget(project);
    buttons->addStretch();

    layout->addLayout(heading);
    layout->addWidget(hint);
    layout->addLayout(buttons);
}

void StartPage::addRecent(QVBoxLayout* layout, Settings& settings) {
    auto* heading = makeHeading(tr("Recent"));
    auto* recent = new RecentList(settings);
    connect(recent, &RecentList::projectChosen, this, &StartPage::projectChosen);
    connect(recent, &RecentList::modelChosen, this, &StartPage::modelChosen);
    layout->addSpacing(8);
    layout->addWidget(heading);
    layout->addWidget(recent);
    const auto showWhenFilled = [heading, recent] {
        for (QWidget* part : {static_cast<QWidget*>(heading), static_cast<QWidget*>(recent)}) part->setVisible(recent->topLevelItemCount() > 0);
    };
    connect(&settings, &Settings::recentChanged, recent, showWhenFilled);
    showWhenFilled();
}

void StartPage::addSamples(QVBoxLayout* layout, const QString& resources) {
    auto* grid = new QGridLayout;
    grid->setSpacing(4);
    const auto add = [grid](const QString& icon, const QString& title, const QString& text, const QString& help) {
        auto* card = new QCommandLinkButton(title, text);
        card->setIcon(symbolicIcon(icon));
        card->setIconSize({18, 18});
        card->setToolTip(help);
        card->setAccessibleDescription(text);
        const int count = grid->count();
        grid->addWidget(card, count / 2, count % 2);
        return card;
    };
    for (const Demo& demo : bundledDemos(resources)) {
        auto* card = add(QStringLiteral("run"), demo.title, demo.help, tr("Open this model, ready to run"));
        connect(card, &QCommandLinkButton::clicked, this, [this, folder = demo.folder] { Q_EMIT demoChosen(folder); });
    }
    for (const SampleRecipe& sample : sampleRecipes(resources)) {
        const qsizetype colon = sample.title.indexOf(QLatin1Char(':'));
        const QString rest = colon < 0 ? QString() : sample.title.mid(colon + 1).trimmed();
        auto* card = add(QStringLiteral("preset"), sample.title.left(colon), rest.left(1).toUpper() + rest.mid(1),
                         tr("Try this recipe on the demo; %1 itself is left as it is").arg(sample.file));
        connect(card, &QCommandLinkButton::clicked, this, [this, file = sample.file] { Q_EMIT sampleChosen(file); });
    }
    if (grid->count() == 0) return delete grid;
    for (int column = 0; column < 2; ++column) grid->setColumnStretch(column, 1);
    layout->addSpacing(8);
    layout->addWidget(makeHeading(tr("Try")));
    layout->addLayout(grid);
}

}  // namespace calibench
