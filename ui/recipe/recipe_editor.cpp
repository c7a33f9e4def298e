#include "ui/recipe/recipe_editor.h"

#include <QAbstractItemView>
#include <QAction>
#include <QCompleter>
#include <QContextMenuEvent>
#include <QFontDatabase>
#include <QHelpEvent>
#include <QMenu>
#include <QMimeData>
#include <QMouseEvent>
#include <QPainter>
#include <QTextBlock>
#include <QToolTip>

#include <algorithm>

#include "ui/recipe/yaml_highlighter.h"
#include "ui/theme.h"

namespace calibench {

/// The strip of line numbers; the editor knows what to paint.
class RecipeEditor::Gutter : public QWidget {
public:
    explicit Gutter(RecipeEditor* editor) : QWidget(editor), m_editor(editor) {}
    QSize sizeHint() const override { return {m_editor->gutterWidth(), 0}; }

protected:
    void paintEvent(QPaintEvent* event) override { m_editor->paintGutter(event); }
    void mousePressEvent(QMouseEvent* event) override { m_editor->pressGutter(event); }

private:
    RecipeEditor* const m_editor;
};

RecipeEditor::RecipeEditor(QWidget* parent) : QPlainTextEdit(parent), m_gutter(new Gutter(this)) {
    setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    setLineWrapMode(NoWrap);
    setFrameShape(NoFrame);
    setTabStopDistance(2 * fontMetrics().horizontalAdvance(QLatin1Char(' ')));
    setPlaceholderText(tr("Write a recipe, choose a preset, or drop a YAML file here"));
    setAccessibleName(tr("Recipe, as YAML"));
    m_gutter->setObjectName(QStringLiteral("gutter"));
    m_highlighter = new YamlHighlighter(document());
    connect(this, &QPlainTextEdit::blockCountChanged, this, &RecipeEditor::updateGutterWidth);
    connect(this, &QPlainTextEdit::updateRequest, this, [this](const QRect& area, int dy) {
        if (dy != 0)
            m_gutter->scroll(0, dy);
        else
            m_gutter->update(0, area.y(), m_gutter->width(), area.height());
    });
    updateGutterWidth();
}

void RecipeEditor::setDiagnostics(std::vector<Diagnostic> diagnostics) {
    m_diagnostics = std::move(diagnostics);
    m_fixesEnabled = true;
    underlineProblems();
    m_gutter->update();
}

QString RecipeEditor::problemsOfLine(int line) const {
    QStringList sentences;
    for (const Diagnostic& diagnostic : m_diagnostics)
        if (diagnostic.line == line) sentences << QString::fromStdString(diagnostic.message);
    return sentences.join(QLatin1Char('\n'));
}

void RecipeEditor::setFixesEnabled(bool enabled) {
    m_fixesEnabled = enabled;
    m_gutter->update();
}

std::vector<Fix> RecipeEditor::fixesOfLine(int line) const {
    std::vector<Fix> fixes;
    if (!m_fixesEnabled) return fixes;
    for (const Diagnostic& diagnostic : m_diagnostics)
        if (diagnostic.line == line) fixes.insert(fixes.end(), diagnostic.fixes.begin(), diagnostic.fixes.end());
    return fixes;
}

void RecipeEditor::goToLine(int line) {
    const QTextBlock block = document()->findBlockByNumber(std::max(0, line - 1));
    if (!block.isValid()) return;
    setTextCursor(QTextCursor(block));
    centerCursor();
    setFocus();
}

QString RecipeEditor::text() const { return document()->toRawText().replace(QChar::ParagraphSeparator, QLatin1Char('\n')); }

void RecipeEditor::replaceText(const QString& text, const QString& place) {
    const QString before = this->text();
    if (before == text) return;
    const qsizetype shorter = std::min(before.size(), text.size());
    qsizetype head = std::mismatch(before.begin(), before.begin() + shorter, text.begin()).first - before.begin();
    if (head > 0 && before[head - 1].isHighSurrogate()) --head;
    qsizetype tail = std::mismatch(before.rbegin(), before.rbegin() + (shorter - head), text.rbegin()).first - before.rbegin();
    if (tail > 0 && before[before.size() - tail].isLowSurrogate()) --tail;

    QTextCursor cursor(document());
    const bool sameStep = !place.isEmpty() && place == m_place && m_placeRevision == document()->revision();
    sameStep ? cursor.joinPreviousEditBlock() : cursor.beginEditBlock();
    cursor.setPosition(static_cast<int>(head));
    cursor.setPosition(static_cast<int>(before.size() - tail), QTextCursor::KeepAnchor);
    cursor.insertText(text.mid(head, text.size() - tail - head));
    cursor.endEditBlock();
    m_place = place;
    m_placeRevision = document()->revision();
}

QList<QAction*> RecipeEditor::makeFixActions(int line, QObject* parent) {
    QList<QAction*> actions;
    for (const Fix& fix : fixesOfLine(line)) {
        auto* action = new QAction(symbolicIcon(QStringLiteral("lamp")), QString::fromStdString(fix.label), parent);
        connect(action, &QAction::triggered, this, [this, fix] { Q_EMIT fixChosen(fix); });
        actions << action;
    }
    return actions;
}

void RecipeEditor::openFixMenu(int line, const QPoint& at) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->addActions(makeFixActions(line, menu));
    if (menu->isEmpty())
        menu->addAction(problemsOfLine(line).isEmpty() ? tr("Nothing is wrong on this line") : tr("No fix is known for this line"))->setEnabled(false);
    menu->popup(at);
    menu->setActiveAction(menu->actions().constFirst());
}

void RecipeEditor::showFixes() {
    const QRect cursor = cursorRect();
    openFixMenu(textCursor().blockNumber() + 1, viewport()->mapToGlobal(cursor.bottomLeft()));
}

void RecipeEditor::contextMenuEvent(QContextMenuEvent* event) {
    QMenu* menu = createStandardContextMenu(event->pos());
    menu->setAttribute(Qt::WA_DeleteOnClose);
    const QList<QAction*> fixes = makeFixActions(cursorForPosition(event->pos()).blockNumber() + 1, menu);
    if (!fixes.isEmpty()) {
        QAction* first = menu->actions().value(0);
        menu->insertActions(first, fixes);
        menu->insertSeparator(first);
    }
    menu->popup(event->globalPos());
}

void RecipeEditor::pressGutter(const QMouseEvent* event) {
    const int line = cursorForPosition({0, event->pos().y()}).blockNumber() + 1;
    if (!fixesOfLine(line).empty()) openFixMenu(line, m_gutter->mapToGlobal(event->pos()));
}

void RecipeEditor::underlineProblems() {
    QList<QTextEdit::ExtraSelection> selections;
    for (const Diagnostic& diagnostic : m_diagnostics) {
        const QTextBlock block = document()->findBlockByNumber(diagnostic.line - 1);
        if (diagnostic.line < 1 || !block.isValid()) continue;
        const QString text = block.text();
        int begin = diagnostic.column > 0 ? std::min(diagnostic.column - 1, static_cast<int>(text.size())) : 0;
        while (begin < text.size() && text[begin].isSpace()) ++begin;
        if (begin >= text.size()) begin = 0;
        QTextEdit::ExtraSelection selection;
        selection.cursor = QTextCursor(block);
        selection.cursor.setPosition(block.position() + begin);
        selection.cursor.setPosition(block.position() + block.length() - 1, QTextCursor::KeepAnchor);
        selection.format.setUnderlineStyle(QTextCharFormat::WaveUnderline);
        const bool isError = diagnostic.severity == Diagnostic::Severity::Error;
        selection.format.setUnderlineColor(isError ? errorColour(palette()) : warningColour(palette()));
        selections << selection;
    }
    setExtraSelections(selections);
}

bool RecipeEditor::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const QPoint inViewport = viewport()->mapFrom(this, help->pos());
        const QString problems = problemsOfLine(cursorForPosition(inViewport).blockNumber() + 1);
        if (problems.isEmpty())
            QToolTip::hideText();
        else
            QToolTip::showText(help->globalPos(), problems, this);
        return true;
    }
    return QPlainTextEdit::event(event);
}

void RecipeEditor::changeEvent(QEvent* event) {
    QPlainTextEdit::changeEvent(event);
    if (event->type() != QEvent::PaletteChange || !m_highlighter) return;
    m_highlighter->setPalette(palette());
    underlineProblems();
}

void RecipeEditor::keyPressEvent(QKeyEvent* event) {
    const int key = event->key();
    const Qt::KeyboardModifiers modifiers = event->modifiers();
    const bool completing = m_completer && m_completer->popup()->isVisible();
    if (completing && (key == Qt::Key_Return || key == Qt::Key_Enter || key == Qt::Key_Tab || key == Qt::Key_Escape)) return event->ignore();
    if (key == Qt::Key_Tab && modifiers == Qt::NoModifier) return insertPlainText(QStringLiteral("  "));  // YAML takes no tabs
    if (key == Qt::Key_Space && modifiers == Qt::ControlModifier) return Q_EMIT completionRequested();
    if ((key == Qt::Key_Period && modifiers == Qt::ControlModifier) || (key == Qt::Key_Return && modifiers == Qt::AltModifier)) return showFixes();
    QPlainTextEdit::keyPressEvent(event);
    const bool printed = !event->text().isEmpty() && event->text().front().isPrint() && !(modifiers & (Qt::ControlModifier | Qt::AltModifier));
    if (printed || completing) Q_EMIT typed();
}

void RecipeEditor::resizeEvent(QResizeEvent* event) {
    QPlainTextEdit::resizeEvent(event);
    const QRect area = contentsRect();
    m_gutter->setGeometry(area.left(), area.top(), gutterWidth(), area.height());
}

bool RecipeEditor::canInsertFromMimeData(const QMimeData* source) const {
    return !source->hasUrls() && QPlainTextEdit::canInsertFromMimeData(source);  // files dropped here are the window's to open
}

int RecipeEditor::gutterWidth() const {
    const int digits = std::max(2, static_cast<int>(QString::number(blockCount()).size()));
    return 20 + fontMetrics().horizontalAdvance(QLatin1Char('9')) * digits;
}

void RecipeEditor::updateGutterWidth() { setViewportMargins(gutterWidth(), 0, 0, 0); }

void RecipeEditor::paintGutter(QPaintEvent* event) {
    QPainter painter(m_gutter);
    painter.fillRect(event->rect(), palette().color(QPalette::AlternateBase));
    painter.setFont(font());
    for (QTextBlock block = firstVisibleBlock(); block.isValid(); block = block.next()) {
        const QRectF area = blockBoundingGeometry(block).translated(contentOffset());
        if (area.top() > event->rect().bottom()) break;
        const int line = block.blockNumber() + 1;
        const auto problem = std::find_if(m_diagnostics.begin(), m_diagnostics.end(), [line](const Diagnostic& d) { return d.line == line; });
        const bool isError = problem != m_diagnostics.end() && problem->severity == Diagnostic::Severity::Error;
        painter.setPen(problem == m_diagnostics.end() ? mutedText(palette()) : isError ? errorColour(palette()) : warningColour(palette()));
        const QRectF place(0, area.top(), m_gutter->width() - 8, area.height());
        painter.drawText(place, Qt::AlignRight | Qt::AlignVCenter, QString::number(line));
        if (problem == m_diagnostics.end()) continue;
        if (fixesOfLine(line).empty())
            painter.drawText(place.adjusted(4, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, QStringLiteral("!"));
        else
            symbolicIcon(QStringLiteral("lamp")).paint(&painter, QRect(1, static_cast<int>(area.center().y()) - 6, 12, 12));
    }
}

}  // namespace calibench
