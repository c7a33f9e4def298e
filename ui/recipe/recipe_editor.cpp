#include "ui/recipe/recipe_editor.h"

#include <QFontDatabase>
#include <QHelpEvent>
#include <QMimeData>
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
    underlineProblems();
    m_gutter->update();
}

QString RecipeEditor::problemsOfLine(int line) const {
    QStringList sentences;
    for (const Diagnostic& diagnostic : m_diagnostics)
        if (diagnostic.line == line) sentences << QString::fromStdString(diagnostic.message);
    return sentences.join(QLatin1Char('\n'));
}

void RecipeEditor::goToLine(int line) {
    const QTextBlock block = document()->findBlockByNumber(std::max(0, line - 1));
    if (!block.isValid()) return;
    setTextCursor(QTextCursor(block));
    centerCursor();
    setFocus();
}

void RecipeEditor::replaceText(const QString& text) {
    QTextCursor cursor(document());
    cursor.beginEditBlock();
    cursor.select(QTextCursor::Document);
    cursor.insertText(text);
    cursor.endEditBlock();
    moveCursor(QTextCursor::Start);
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
    if (event->key() == Qt::Key_Tab && event->modifiers() == Qt::NoModifier) {
        insertPlainText(QStringLiteral("  "));  // YAML takes no tabs
        return;
    }
    QPlainTextEdit::keyPressEvent(event);
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
        if (problem != m_diagnostics.end()) painter.drawText(place.adjusted(3, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, QStringLiteral("!"));
    }
}

}  // namespace calibench
