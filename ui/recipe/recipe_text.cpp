#include "ui/recipe/recipe_text.h"

#include <QHash>
#include <QStringConverter>

#include <algorithm>

namespace calibench {

namespace {

const QByteArray ByteOrderMark("\xEF\xBB\xBF");

/// The length of the line end at `at`, 0 where there is none: all that a text document takes for one.
qsizetype lineEnd(const QString& text, qsizetype at) {
    const QChar c = text[at];
    if (c == QLatin1Char('\r')) return at + 1 < text.size() && text[at + 1] == QLatin1Char('\n') ? 2 : 1;
    return c == QLatin1Char('\n') || c == QChar(QChar::ParagraphSeparator) ? 1 : 0;
}

}  // namespace

std::optional<RecipeText> RecipeText::fromBytes(const QByteArray& bytes) {
    RecipeText made;
    made.m_hasMark = bytes.startsWith(ByteOrderMark);
    QStringDecoder decode(QStringDecoder::Utf8, QStringDecoder::Flag::Stateless);
    const QString text = decode(made.m_hasMark ? bytes.mid(ByteOrderMark.size()) : bytes);
    if (decode.hasError()) return {};

    QHash<QString, int> uses;
    qsizetype begin = 0;
    for (qsizetype i = 0; i < text.size();) {
        const qsizetype length = lineEnd(text, i);
        if (length == 0) {
            ++i;
            continue;
        }
        made.m_lines << text.mid(begin, i - begin);
        made.m_ends << text.mid(i, length);
        if (++uses[made.m_ends.back()] > uses.value(made.m_usualEnd)) made.m_usualEnd = made.m_ends.back();
        begin = i += length;
    }
    made.m_lines << text.mid(begin);
    return made;
}

QByteArray RecipeText::toBytes(const QString& edited) const {
    const QStringList lines = edited.split(QLatin1Char('\n'));
    const qsizetype common = std::min(lines.size(), m_lines.size());
    qsizetype head = 0, tail = 0;
    while (head < common && lines[head] == m_lines[head]) ++head;
    while (tail < common - head && lines[lines.size() - 1 - tail] == m_lines[m_lines.size() - 1 - tail]) ++tail;

    QString text;
    for (qsizetype i = 0; i < lines.size(); ++i) {
        text += lines[i];
        if (i + 1 == lines.size()) break;
        const qsizetype before = i < head ? i : i >= lines.size() - tail ? i - lines.size() + m_lines.size() : -1;
        text += before >= 0 && before < m_ends.size() ? m_ends[before] : m_usualEnd;
    }
    return (m_hasMark ? ByteOrderMark : QByteArray()) + text.toUtf8();
}

}  // namespace calibench
