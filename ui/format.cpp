#include "ui/format.h"

#include <QLocale>
#include <QStringList>

#include <array>
#include <charconv>
#include <cmath>

#include "core/base/text.h"

namespace calibench {

namespace {

/// printf writes "3.1e-05"; nobody reads that zero.
QString withoutExponentZeros(QString text) {
    const qsizetype exponent = text.indexOf(QLatin1Char('e'));
    if (exponent < 0) return text;
    qsizetype digit = exponent + 2;  // behind the sign
    while (digit + 1 < text.size() && text[digit] == QLatin1Char('0')) text.remove(digit, 1);
    if (text[exponent + 1] == QLatin1Char('+')) text.remove(exponent + 1, 1);
    return text;
}

QString nameOfNonFinite(double value) {
    if (std::isnan(value)) return QStringLiteral("NaN");
    return value > 0 ? QStringLiteral("∞") : QStringLiteral("-∞");
}

}  // namespace

QString formatNumber(double value) {
    if (!std::isfinite(value)) return nameOfNonFinite(value);
    const double magnitude = std::abs(value);
    if (magnitude != 0 && magnitude < 1e-3) return withoutExponentZeros(QString::number(value, 'e', 2));
    return withoutExponentZeros(QString::number(value, 'g', 3));
}

QString formatExact(double value) {
    if (!std::isfinite(value)) return nameOfNonFinite(value);
    return withoutExponentZeros(QString::number(value, 'g', QLocale::FloatingPointShortest));
}

QString formatExact(float value) {
    if (!std::isfinite(value)) return nameOfNonFinite(static_cast<double>(value));
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return withoutExponentZeros(QString::fromLatin1(text.data(), end - text.data()));
}

QString formatRange(double low, double high) { return formatNumber(low) + QStringLiteral(" … ") + formatNumber(high); }

QString formatExactRange(double low, double high) { return formatExact(low) + QStringLiteral(" … ") + formatExact(high); }

QString formatCount(int64_t count) { return QLocale().toString(static_cast<qlonglong>(count)); }

QString formatBytes(double bytes) { return QString::fromStdString(format_bytes(bytes)).replace(QLatin1Char(' '), QChar(QChar::Nbsp)); }

QString formatDuration(double seconds) { return QString::fromStdString(format_duration(seconds)); }

QString formatShape(const std::vector<int64_t>& shape) {
    QStringList sizes;
    for (const int64_t size : shape) sizes << QString::number(size);
    return sizes.join(QStringLiteral(" × "));
}

std::filesystem::path toPath(const QString& text) { return std::filesystem::path(text.toStdU16String()); }

QString toText(const std::filesystem::path& path) { return QString::fromStdU16String(path.u16string()); }

}  // namespace calibench
