#include "ui/plots/scales.h"

#include <algorithm>
#include <cmath>

#include "ui/format.h"

namespace calibench {

Symlog Symlog::forMagnitudes(const std::vector<double>& magnitudes) {
    double smallest = 0, largest = 0;
    for (const double magnitude : magnitudes) {
        if (!std::isfinite(magnitude) || magnitude <= 0) continue;
        smallest = smallest == 0 ? magnitude : std::min(smallest, magnitude);
        largest = std::max(largest, magnitude);
    }
    if (largest <= 1000 * smallest) return {};
    return {std::pow(10.0, std::floor(std::log10(smallest)))};
}

double Symlog::map(double value) const {
    return active() ? std::copysign(std::log10(1 + std::abs(value) / linear), value) : value;
}

double Symlog::unmap(double position) const {
    return active() ? std::copysign(linear * (std::pow(10.0, std::abs(position)) - 1), position) : position;
}

QVector<double> SymlogTicker::createTickVector(double, const QCPRange& range) {
    const double reach = std::max(std::abs(range.lower), std::abs(range.upper));
    const int first = static_cast<int>(std::lround(std::log10(m_scale.linear)));
    const int last = static_cast<int>(std::floor(std::log10(std::max(m_scale.unmap(reach), m_scale.linear))));
    const int stride = std::max(1, (last - first) / 4 + ((last - first) % 4 > 0));
    QVector<double> ticks{0};
    for (int exponent = last; exponent >= first; exponent -= stride) {
        const double position = m_scale.map(std::pow(10.0, exponent));
        ticks.append(position);
        ticks.prepend(-position);
    }
    std::sort(ticks.begin(), ticks.end());
    return ticks;
}

QString SymlogTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    const double value = m_scale.unmap(tick);
    return value == 0 ? QStringLiteral("0") : QString::number(value, 'g', 3) == QString::number(value, 'f', 0)
               ? QString::number(value, 'f', 0)
               : QStringLiteral("%1e%2").arg(value < 0 ? QStringLiteral("-1") : QStringLiteral("1")).arg(std::lround(std::log10(std::abs(value))));
}

QVector<double> LogTicker::createTickVector(double, const QCPRange& range) {
    const double low = std::max(range.lower, 1e-300), high = std::max(range.upper, low * 1.0000001);
    const double decades = std::log10(high / low);
    QVector<double> ticks;
    if (decades < 0.8) {  // less than 1 to 6: even steps read better than 1-2-5
        const double step = std::pow(10.0, std::floor(std::log10((high - low) / 2)));
        const double count = (high - low) / step;
        const double wide = step * (count > 8 ? 4 : count > 4 ? 2 : 1);
        for (double tick = std::ceil(low / wide) * wide; tick <= high; tick += wide) ticks.append(tick);
        return ticks;
    }
    const int stride = std::max(1, static_cast<int>(decades / 6));
    for (int exponent = static_cast<int>(std::floor(std::log10(low))); exponent <= std::log10(high); exponent += stride)
        for (const double digit : {1.0, 2.0, 5.0}) {
            if (digit > 1 && decades > 2.5) continue;
            const double tick = digit * std::pow(10.0, exponent);
            if (tick >= low && tick <= high) ticks.append(tick);
        }
    return ticks;
}

/// Ticks are round numbers: write them without the zeros that a table's three digits would bring.
static QString roundNumber(double value) {
    if (value == 0) return QStringLiteral("0");
    const double magnitude = std::abs(value);
    if (magnitude < 1e6 && value == std::round(value)) return QString::number(value, 'f', 0);
    if (magnitude >= 1e-3 && magnitude < 1e6) return QString::number(value, 'g', 4);
    const int exponent = static_cast<int>(std::floor(std::log10(magnitude) + 1e-9));
    return QStringLiteral("%1e%2").arg(QString::number(value / std::pow(10.0, exponent), 'g', 3)).arg(exponent);
}

QString LogTicker::getTickLabel(double tick, const QLocale&, QChar, int) { return roundNumber(tick); }

QString NumberTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    return std::abs(tick) < 1e-12 * mTickCount ? QStringLiteral("0") : roundNumber(tick);
}

QVector<double> IndexTicker::createTickVector(double, const QCPRange& range) {
    double first = std::max(0.0, std::ceil(range.lower)), last = std::floor(range.upper);
    if (!m_labels.isEmpty()) last = std::min(last, static_cast<double>(m_labels.size()) - 1);
    double stride = 1;
    for (const double wider : {2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 10000.0})
        if ((last - first) / stride > 12) stride = wider;
    QVector<double> ticks;
    for (double tick = std::ceil(first / stride) * stride; tick <= last; tick += stride) ticks.append(tick);
    return ticks;
}

QString IndexTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    const int index = static_cast<int>(std::lround(tick));
    return m_labels.isEmpty() ? QString::number(index) : m_labels.value(index);
}

}  // namespace calibench
