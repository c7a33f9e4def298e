#pragma once

#include <QByteArray>
#include <QString>
#include <QStringList>

#include <optional>

namespace calibench {

/// The bytes of a recipe file as an editor's text and back. An editor knows one kind of line end only; here every line that nobody
/// touched keeps its own, and the file its byte order mark.
class RecipeText {
public:
    RecipeText() = default;
    /// Empty when the bytes are not UTF-8.
    [[nodiscard]] static std::optional<RecipeText> fromBytes(const QByteArray& bytes);

    [[nodiscard]] QString text() const { return m_lines.join(QLatin1Char('\n')); }
    /// `edited` as a file: new lines end as most lines of the file do.
    [[nodiscard]] QByteArray toBytes(const QString& edited) const;

private:
    QStringList m_lines;
    QStringList m_ends;  ///< one for every line but the last
    QString m_usualEnd = QStringLiteral("\n");
    bool m_hasMark = false;
};

}  // namespace calibench
