#include "ui/recipe/recipe_panel.h"

#include <QAction>
#include <QButtonGroup>
#include <QFile>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QRegularExpression>
#include <QResizeEvent>
#include <QSaveFile>
#include <QSplitter>
#include <QTextBlock>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

#include "ui/project/samples.h"
#include "ui/recipe/problem_list.h"
#include "ui/recipe/recipe_completer.h"
#include "ui/recipe/recipe_editor.h"
#include "ui/recipe/recipe_form.h"
#include "ui/recipe/scheme_words.h"
#include "ui/session.h"
#include "ui/settings.h"
#include "ui/theme.h"

namespace calibench {

namespace {

constexpr int SideBySideWidth = 640;  // pixels from which form and text fit beside each other
constexpr int BothHeight = 560;       // and from which they fit below each other

QToolButton* makeButton(const QString& icon, const QString& text, const QString& help) {
    auto* button = new QToolButton;
    button->setIcon(symbolicIcon(icon));
    button->setText(text);
    button->setToolTip(help);
    button->setAccessibleName(help);
    button->setAutoRaise(true);
    return button;
}

}  // namespace

RecipePanel::RecipePanel(Session& session, Settings& settings, const QString& resources, QWidget* parent)
    : QWidget(parent), m_session(session), m_settings(settings), m_editor(new RecipeEditor), m_form(new RecipeForm(session)), m_views(new QSplitter),
      m_effect(new QLabel), m_count(new QLabel), m_problems(new ProblemList) {
    m_views->addWidget(m_form);
    m_views->addWidget(m_editor);
    m_views->setChildrenCollapsible(false);
    m_views->setStretchFactor(0, 1);
    m_views->setStretchFactor(1, 1);
    m_editor->setMinimumHeight(80);
    m_effect->setWordWrap(true);
    m_effect->setAccessibleName(tr("What the recipe does to the model"));
    m_effect->setContentsMargins(8, 4, 8, 0);
    m_count->setContentsMargins(8, 0, 8, 4);
    m_count->setAccessibleName(tr("Problems of the recipe"));

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(makeToolBar(resources));
    layout->addWidget(m_views, 1);
    layout->addWidget(m_effect);
    layout->addWidget(m_count);
    layout->addWidget(m_problems);
    makeUndo();
    connectEditor();
    setView(static_cast<View>(std::clamp(m_settings.recipeView(), 0, 2)));
    showChecked();
}

QWidget* RecipePanel::makeToolBar(const QString& resources) {
    auto* bar = new QWidget;
    auto* layout = new QHBoxLayout(bar);
    layout->setContentsMargins(4, 4, 4, 0);
    layout->setSpacing(0);
    auto* presets = makeButton(QStringLiteral("preset"), tr("Presets"), tr("Start from a recipe that works; Undo brings back yours"));
    presets->setToolButtonStyle(Qt::ToolButtonTextOnly);
    presets->setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(presets);
    menu->setToolTipsVisible(true);
    fillPresets(menu, resources);
    presets->setMenu(menu);
    presets->setEnabled(!menu->isEmpty());
    layout->addWidget(presets);
    layout->addStretch();

    const std::pair<QString, QString> views[] = {{tr("Form"), tr("The recipe as a form")}, {tr("YAML"), tr("The recipe as text")}, {tr("Both"), tr("Form and text, always the same recipe")}};
    auto* group = new QButtonGroup(this);
    for (const auto& [name, help] : views) {
        auto* button = new QToolButton;
        button->setText(name);
        button->setToolTip(help);
        button->setCheckable(true);
        button->setAutoRaise(true);
        group->addButton(button);
        layout->addWidget(button);
        connect(button, &QToolButton::clicked, this, [this, view = static_cast<View>(m_switch.size())] { setView(view); });
        m_switch << button;
    }
    layout->addStretch();

    auto* openButton = makeButton(QStringLiteral("open"), tr("Open"), tr("Open a recipe"));
    connect(openButton, &QToolButton::clicked, this, &RecipePanel::openRequested);
    auto* saveButton = makeButton(QStringLiteral("save"), tr("Save"), tr("Save the recipe"));
    connect(saveButton, &QToolButton::clicked, this, &RecipePanel::saveRequested);
    m_rewrite = makeButton(QStringLiteral("format"), tr("Rewrite"), tr("Rewrite in the form that llm-compressor accepts; comments are lost, Undo brings them back"));
    connect(m_rewrite, &QToolButton::clicked, this, &RecipePanel::rewrite);
    for (QToolButton* button : {openButton, saveButton, m_rewrite}) layout->addWidget(button);
    return bar;
}

void RecipePanel::makeUndo() {
    const auto make = [this](const QString& text, QKeySequence::StandardKey key, const QString& help) {
        auto* action = new QAction(text, this);
        action->setShortcut(key);
        action->setToolTip(help);
        action->setEnabled(false);
        addAction(action);
        return action;
    };
    m_undo = make(tr("&Undo"), QKeySequence::Undo, tr("Take back the last change of the recipe, made in the form, the text or the model tree"));
    m_redo = make(tr("&Redo"), QKeySequence::Redo, tr("Make the change again that was taken back last"));
    connect(m_editor, &QPlainTextEdit::undoAvailable, m_undo, &QAction::setEnabled);
    connect(m_editor, &QPlainTextEdit::redoAvailable, m_redo, &QAction::setEnabled);
    connect(m_undo, &QAction::triggered, this, [this] {
        m_editor->undo();
        m_form->refill();
    });
    connect(m_redo, &QAction::triggered, this, [this] {
        m_editor->redo();
        m_form->refill();
    });
}

void RecipePanel::connectEditor() {
    new RecipeCompleter(*m_editor, m_session);
    connect(m_editor, &QPlainTextEdit::textChanged, this, [this] {
        m_session.setRecipe(m_editor->text());
        if (!m_session.checkingRecipe()) return;
        m_count->setText(tr("Checking…"));
        m_problems->setFixesEnabled(false);
        m_editor->setFixesEnabled(false);
    });
    connect(m_editor->document(), &QTextDocument::modificationChanged, this, &RecipePanel::documentChanged);
    connect(m_editor, &RecipeEditor::fixChosen, this, &RecipePanel::makeFix);
    connect(m_problems, &ProblemList::fixChosen, this, &RecipePanel::makeFix);
    connect(m_problems, &ProblemList::lineRequested, this, &RecipePanel::goToLine);
    connect(m_form, &RecipeForm::lineRequested, this, &RecipePanel::goToLine);
    connect(m_form, &RecipeForm::yamlRequested, this, [this] { goToLine(m_editor->textCursor().blockNumber() + 1); });
    connect(m_form, &RecipeForm::edited, this, &RecipePanel::change);
    connect(&m_session, &Session::recipeChangeRequested, this, [this](const QString& yaml) { change(yaml); });
    connect(&m_session, &Session::recipeChecked, this, &RecipePanel::showChecked);
    connect(&m_session, &Session::modelChanged, this, &RecipePanel::showEffect);
}

void RecipePanel::setView(View view) {
    m_view = view;
    m_form->setVisible(view != View::Yaml);
    m_editor->setVisible(view != View::Form);
    m_switch[static_cast<qsizetype>(view)]->setChecked(true);
    m_settings.setRecipeView(static_cast<int>(view));
}

void RecipePanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    m_views->setOrientation(width() >= SideBySideWidth ? Qt::Horizontal : Qt::Vertical);
}

void RecipePanel::change(const QString& yaml, const QString& place) {
    m_editor->replaceText(yaml, place);
    m_form->refill();
}

void RecipePanel::makeFix(const Fix& fix) {
    QByteArray bytes = m_editor->text().toUtf8();
    const auto offset = static_cast<qsizetype>(fix.offset), length = static_cast<qsizetype>(fix.length);
    if (m_session.checkingRecipe() || offset + length > bytes.size()) return;  // about an older text
    change(QString::fromUtf8(bytes.replace(offset, length, QByteArray::fromStdString(fix.replacement))));
}

void RecipePanel::goToLine(int line) {
    if (m_view == View::Form) setView(width() >= SideBySideWidth || height() >= BothHeight ? View::Both : View::Yaml);
    m_editor->goToLine(line);
}

void RecipePanel::fillPresets(QMenu* menu, const QString& resources) {
    for (const SampleRecipe& sample : sampleRecipes(resources)) {
        QAction* action = menu->addAction(QFileInfo(sample.file).completeBaseName());
        action->setToolTip(sample.title);
        connect(action, &QAction::triggered, this, [this, path = sample.file] {
            QFile yaml(path);
            if (!yaml.open(QIODevice::ReadOnly)) return;
            change(QString::fromUtf8(yaml.readAll()));
            m_editor->moveCursor(QTextCursor::Start);
        });
    }
}

QString RecipePanel::open(const QString& file) {
    QFile yaml(file);
    if (!yaml.open(QIODevice::ReadOnly)) return tr("%1 cannot be read: %2.").arg(file, yaml.errorString());
    const auto text = RecipeText::fromBytes(yaml.readAll());
    if (!text) return tr("%1 is not UTF-8 text. Save it as UTF-8 and open it again.").arg(file);
    setDocument(text->text(), QFileInfo(file).absoluteFilePath());
    return {};
}

void RecipePanel::setDocument(const QString& text, const QString& file) {
    QFile yaml(file);  // what is edited may be ahead of it, but line ends are its own
    m_saved = RecipeText::fromBytes(!file.isEmpty() && yaml.open(QIODevice::ReadOnly) ? yaml.readAll() : text.toUtf8()).value_or(RecipeText());
    change(RecipeText::fromBytes(text.toUtf8()).value_or(RecipeText()).text());
    m_editor->endStep();
    m_editor->moveCursor(QTextCursor::Start);
    m_editor->document()->setModified(false);
    m_file = file;
    Q_EMIT documentChanged();
}

QString RecipePanel::saveTo(const QString& file) {
    QSaveFile yaml(file);  // complete or not at all
    const QByteArray bytes = m_saved.toBytes(m_editor->text());
    const bool ok = yaml.open(QIODevice::WriteOnly) && yaml.write(bytes) == bytes.size() && yaml.commit();
    if (!ok) return tr("%1 cannot be written: %2.").arg(file, yaml.errorString());
    m_saved = RecipeText::fromBytes(bytes).value_or(RecipeText());
    m_editor->endStep();
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
    if (const auto& recipe = m_session.parsedRecipe()) change(QString::fromStdString(m_session.services().writeRecipe(*recipe)));
}

QString RecipePanel::inShort(const std::vector<Diagnostic>& diagnostics) {
    const auto notes = static_cast<int>(std::ranges::count(diagnostics, Diagnostic::Severity::Note, &Diagnostic::severity));
    const auto problems = static_cast<int>(diagnostics.size()) - notes;
    const QString text = problems == 0 ? tr("No problems") : tr("%n problem(s)", nullptr, problems);
    return notes == 0 ? text : text + QStringLiteral(", ") + tr("%n note(s)", nullptr, notes);
}

void RecipePanel::showChecked() {
    const auto& diagnostics = m_session.diagnostics();
    m_editor->setDiagnostics(diagnostics);
    m_problems->show(diagnostics);
    m_rewrite->setEnabled(m_session.parsedRecipe().has_value());
    m_count->setText(m_session.recipe().trimmed().isEmpty() ? tr("No recipe yet") : inShort(diagnostics));
    showEffect();
}

void RecipePanel::showEffect() {
    const RecipeEffect effect = recipeEffect(m_session);
    m_effect->setText(effect.sentence);
    m_effect->setToolTip(effect.details);
    m_effect->setVisible(!effect.sentence.isEmpty());
}

}  // namespace calibench
