#include "ui/runs/recipe_diff_view.h"

#include <QEvent>
#include <QFontDatabase>
#include <QTextBlock>

#include "ui/theme.h"

namespace calibench {

RecipeDiffView::RecipeDiffView(QWidget* parent) : QPlainTextEdit(parent) {
    setReadOnly(true);
    setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    setLineWrapMode(NoWrap);
    setFrameShape(NoFrame);
}

void RecipeDiffView::showText(const QString& text) {
    m_lines.clear();
    setPlainText(text);
    setAccessibleName(tr("Recipe of the run"));
    colour();
}

void RecipeDiffView::showDiff(const QString& before, const QString& after) {
    m_lines = unified_diff(before.toStdString(), after.toStdString());
    QStringList lines;
    for (const DiffLine& line : m_lines) {
        const QString text = QString::fromStdString(line.text);
        switch (line.kind) {
            case DiffLine::Kind::Same: lines << QStringLiteral("  ") + text; break;
            case DiffLine::Kind::Removed: lines << QStringLiteral("- ") + text; break;
            case DiffLine::Kind::Added: lines << QStringLiteral("+ ") + text; break;
            case DiffLine::Kind::Gap: lines << text; break;
        }
    }
    setPlainText(lines.join(QLatin1Char('\n')));
    setAccessibleName(tr("What differs between the recipes"));
    colour();
}

void RecipeDiffView::colour() {
    QList<QTextEdit::ExtraSelection> selections;
    for (size_t i = 0; i < m_lines.size(); ++i) {
        if (m_lines[i].kind == DiffLine::Kind::Same) continue;
        QTextEdit::ExtraSelection line;
        line.cursor = QTextCursor(document()->findBlockByNumber(static_cast<int>(i)));
        line.format.setProperty(QTextFormat::FullWidthSelection, true);
        if (m_lines[i].kind == DiffLine::Kind::Gap) {
            line.format.setForeground(mutedText(palette()));
        } else {
            QColor ground = m_lines[i].kind == DiffLine::Kind::Added ? successColour(palette()) : errorColour(palette());
            ground.setAlpha(isDark(palette()) ? 70 : 40);
            line.format.setBackground(ground);
        }
        selections << line;
    }
    setExtraSelections(selections);
}

void RecipeDiffView::changeEvent(QEvent* event) {
    QPlainTextEdit::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) colour();
}

}  // namespace calibench
