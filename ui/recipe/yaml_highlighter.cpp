#include "ui/recipe/yaml_highlighter.h"

#include <QApplication>
#include <QPalette>

#include "ui/theme.h"

namespace calibench {

namespace {

QTextCharFormat coloured(const QColor& colour) {
    QTextCharFormat format;
    format.setForeground(colour);
    return format;
}

/// Where a comment begins: at a '#' outside of quotes that starts the line or follows a space; -1 without one.
qsizetype commentStart(const QString& text) {
    QChar quote;
    for (qsizetype i = 0; i < text.size(); ++i) {
        const QChar c = text[i];
        if (!quote.isNull()) {
            if (c == quote) quote = QChar();
        } else if (c == QLatin1Char('"') || c == QLatin1Char('\'')) {
            quote = c;
        } else if (c == QLatin1Char('#') && (i == 0 || text[i - 1].isSpace())) {
            return i;
        }
    }
    return -1;
}

}  // namespace

YamlHighlighter::YamlHighlighter(QTextDocument* document) : QSyntaxHighlighter(document) { setPalette(QApplication::palette()); }

void YamlHighlighter::setPalette(const QPalette& palette) {
    const bool dark = isDark(palette);
    const QColor key(dark ? 0x7cc4f0 : 0x00558c), word(dark ? 0xd9a0c4 : 0x8a3b70), string(dark ? 0x7ed0a8 : 0x0a6b4a), pattern(dark ? 0xf0b84b : 0x8f5200);
    const auto rule = [](const char* expression, const QColor& colour, int group = 0) {
        return Rule{QRegularExpression(QString::fromLatin1(expression)), coloured(colour), group};
    };
    // Later rules win, so that a number inside of a string stays part of the string.
    m_rules = {rule(R"((?<=[\s\[,:-])(-?\d+(\.\d*)?([eE][+-]?\d+)?|true|false|null|~)(?=\s*($|[,\]}#])))", word),
               rule(R"(^\s*(?:- +)*([A-Za-z_][\w.-]*)\s*:(?=\s|$))", key, 1),
               rule(R"("[^"]*"|'[^']*')", string),
               rule(R"(re:[^"'\s,\]]+)", pattern)};
    m_comment = coloured(mutedText(palette));
    m_comment.setFontItalic(true);
    rehighlight();
}

void YamlHighlighter::highlightBlock(const QString& text) {
    for (const Rule& rule : m_rules)
        for (auto match = rule.pattern.globalMatch(text); match.hasNext();) {
            const QRegularExpressionMatch found = match.next();
            setFormat(static_cast<int>(found.capturedStart(rule.group)), static_cast<int>(found.capturedLength(rule.group)), rule.format);
        }
    if (const qsizetype comment = commentStart(text); comment >= 0)
        setFormat(static_cast<int>(comment), static_cast<int>(text.size() - comment), m_comment);
}

}  // namespace calibench
