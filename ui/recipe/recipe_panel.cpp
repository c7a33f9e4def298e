#include "ui/recipe/recipe_panel.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QRegularExpression>
#include <QSaveFile>
#include <QTextBlock>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/recipe/recipe_editor.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int LineRole = Qt::UserRole;

QToolButton* makeButton(const QString& icon, const QString& text, const QString& help) {
    auto* button = new QToolButton;
    button->setIcon(symbolicIcon(icon));
    button->setText(text);
    button->setToolTip(help);
    button->setAccessibleName(help);
    button->setAutoRaise(true);
    return button;
}

/// What a preset is for: its first comment line.
QString descriptionOf(const QString& file) {
    QFile yaml(file);
    if (!yaml.open(QIODevice::ReadOnly)) return {};
    const QString line = QString::fromUtf8(yaml.readLine()).trimmed();
    return line.startsWith(QLatin1Char('#')) ? line.mid(1).trimmed() : QString();
}

}  // namespace

RecipePanel::RecipePanel(Session& session, const QString& presetFolder, QWidget* parent)
    : QWidget(parent), m_session(session), m_editor(new RecipeEditor), m_count(new QLabel),
      m_problems(new QListWidget) {
    auto* presets = makeButton(QStringLiteral("preset"), tr("Presets"), tr("Start from a recipe that works; Undo brings back yours"));
    presets->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    presets->setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(presets);
    menu->setToolTipsVisible(true);
    fillPresets(menu, presetFolder);
    presets->setMenu(menu);
    presets->setEnabled(!menu->isEmpty());
    auto* openButton = makeButton(QStringLiteral("open"), tr("Open"), tr("Open a recipe"));
    connect(openButton, &QToolButton::clicked, this, &RecipePanel::openRequested);
    auto* saveButton = makeButton(QStringLiteral("save"), tr("Save"), tr("Save the recipe"));
    connect(saveButton, &QToolButton::clicked, this, &RecipePanel::saveRequested);
    m_rewrite = makeButton(QStringLiteral("format"), tr("Rewrite"), tr("Rewrite in the form that llm-compressor accepts; comments are lost, Undo brings them back"));
    connect(m_rewrite, &QToolButton::clicked, this, &RecipePanel::rewrite);

    auto* bar = new QHBoxLayout;
    bar->setContentsMargins(4, 4, 4, 0);
    bar->setSpacing(2);
    bar->addWidget(presets);
    bar->addStretch();
    for (QToolButton* button : {openButton, saveButton, m_rewrite}) bar->addWidget(button);

    m_count->setContentsMargins(8, 4, 8, 4);
    m_problems->setWordWrap(true);
    m_problems->setFrameShape(QFrame::NoFrame);
    m_problems->setMaximumHeight(140);
    m_problems->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_problems->setAccessibleName(tr("Problems of the recipe"));
    const auto go = [this](const QListWidgetItem* item) { m_editor->goToLine(item->data(LineRole).toInt()); };
    connect(m_problems, &QListWidget::itemClicked, this, go);
    connect(m_problems, &QListWidget::itemActivated, this, go);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addLayout(bar);
    layout->addWidget(m_editor, 1);
    layout->addWidget(m_count);
    layout->addWidget(m_problems);

    connect(m_editor, &QPlainTextEdit::textChanged, this, [this] {
        m_session.setRecipe(m_editor->toPlainText());
        if (m_session.checkingRecipe()) m_count->setText(tr("Checking…"));
    });
    connect(m_editor->document(), &QTextDocument::modificationChanged, this, &RecipePanel::documentChanged);
    connect(&m_session, &Session::recipeChecked, this, &RecipePanel::showChecked);
    connect(&m_session, &Session::recipeChangeRequested, m_editor, &RecipeEditor::replaceText);
    showChecked();
}

void RecipePanel::fillPresets(QMenu* menu, const QString& folder) {
    for (const QFileInfo& file : QDir(folder).entryInfoList({QStringLiteral("*.yaml"), QStringLiteral("*.yml")}, QDir::Files, QDir::Name)) {
        QAction* action = menu->addAction(file.completeBaseName());
        action->setToolTip(descriptionOf(file.filePath()));
        connect(action, &QAction::triggered, this, [this, path = file.filePath()] {
            QFile yaml(path);
            if (yaml.open(QIODevice::ReadOnly)) m_editor->replaceText(QString::fromUtf8(yaml.readAll()));
        });
    }
}

QString RecipePanel::open(const QString& file) {
    QFile yaml(file);
    if (!yaml.open(QIODevice::ReadOnly)) return tr("%1 cannot be read: %2.").arg(file, yaml.errorString());
    setDocument(QString::fromUtf8(yaml.readAll()), QFileInfo(file).absoluteFilePath());
    return {};
}

void RecipePanel::setDocument(const QString& text, const QString& file) {
    m_editor->replaceText(text);
    m_editor->document()->setModified(false);
    m_file = file;
    Q_EMIT documentChanged();
}

QString RecipePanel::saveTo(const QString& file) {
    QSaveFile yaml(file);  // complete or not at all
    const bool ok = yaml.open(QIODevice::WriteOnly) && yaml.write(m_editor->toPlainText().toUtf8()) >= 0 && yaml.commit();
    if (!ok) return tr("%1 cannot be written: %2.").arg(file, yaml.errorString());
    m_editor->document()->setModified(false);
    m_file = QFileInfo(file).absoluteFilePath();
    Q_EMIT documentChanged();
    return {};
}

bool RecipePanel::rewriteOlderSpelling() {
    // The parser's notes on lines that open a modifier group say just this; see recipe_parser.cpp.
    static const QRegularExpression opensGroup(QStringLiteral("modifiers\"?\\s*:"));
    const auto& diagnostics = m_session.diagnostics();
    const bool older = std::any_of(diagnostics.begin(), diagnostics.end(), [this](const Diagnostic& diagnostic) {
        return diagnostic.severity == Diagnostic::Severity::Note &&
               m_editor->document()->findBlockByNumber(diagnostic.line - 1).text().contains(opensGroup);
    });
    if (!older || m_session.checkingRecipe() || !m_session.parsedRecipe()) return false;
    rewrite();
    return true;
}

bool RecipePanel::modified() const { return m_editor->document()->isModified(); }

void RecipePanel::rewrite() {
    if (const auto& recipe = m_session.parsedRecipe()) m_editor->replaceText(QString::fromStdString(m_session.services().writeRecipe(*recipe)));
}

void RecipePanel::showChecked() {
    const auto& diagnostics = m_session.diagnostics();
    m_editor->setDiagnostics(diagnostics);
    m_problems->clear();
    for (const Diagnostic& diagnostic : diagnostics) {
        const QString place = diagnostic.line > 0 ? tr("Line %1: ").arg(diagnostic.line) : QString();
        auto* item = new QListWidgetItem(place + QString::fromStdString(diagnostic.message), m_problems);
        item->setData(LineRole, diagnostic.line);
        const bool isError = diagnostic.severity == Diagnostic::Severity::Error;
        const bool isNote = diagnostic.severity == Diagnostic::Severity::Note;
        item->setIcon(symbolicIcon(isNote ? QStringLiteral("info") : QStringLiteral("warning")));
        if (!isNote) item->setForeground(isError ? errorColour(palette()) : warningColour(palette()));
    }
    m_problems->setVisible(!diagnostics.empty());
    m_rewrite->setEnabled(m_session.parsedRecipe().has_value());

    const auto quantized = static_cast<int>(m_session.schemes().size());
    if (!diagnostics.empty())
        m_count->setText(tr("%n problem(s)", nullptr, static_cast<int>(diagnostics.size())));
    else if (m_session.recipe().trimmed().isEmpty())
        m_count->setText(tr("No recipe yet"));
    else if (m_session.modelState() == Session::ModelState::Ready)
        m_count->setText(tr("No problems; quantizes %n module(s)", nullptr, quantized));
    else
        m_count->setText(tr("No problems"));
}

}  // namespace calibench
