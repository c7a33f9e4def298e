#include "ui/plots/scales.h"

#include <algorithm>
#include <cmath>

#include "ui/format.h"

namespace calibench {

namespace {

struct Span {
    double smallest = 0, largest = 0;
};

Span spanOf(const std::vector<double>& magnitudes) {
    Span span;
    for (const double magnitude : magnitudes) {
        if (!std::isfinite(magnitude) || magnitude <= 0) continue;
        span.smallest = span.smallest == 0 ? magnitude : std::min(span.smallest, magnitude);
        span.largest = std::max(span.largest, magnitude);
    }
    return span;
}

/// Ticks are round numbers: written with the digits that tell them from a tick one step away, and no more. Without a step a
/// tick is one digit and a power of ten.
QString tickText(double value, double step) {
    if (value == 0) return QStringLiteral("0");
    const double magnitude = std::abs(value);
    const int exponent = static_cast<int>(std::floor(std::log10(magnitude) + 1e-9));
    // Steps are one or two digits long (2.5): the last of them is the last that counts.
    const int digits = step > 0 ? std::clamp(exponent - static_cast<int>(std::floor(std::log10(step) + 1e-9)) + 2, 1, 16) : 3;
    if (magnitude < 1e6 && value == std::round(value)) return QString::number(value, 'f', 0);
    if (magnitude >= 1e-3 && magnitude < 1e6) return QString::number(value, 'g', digits);
    return QStringLiteral("%1e%2").arg(QString::number(value / std::pow(10.0, exponent), 'g', digits)).arg(exponent);
}

}  // namespace

Symlog Symlog::forMagnitudes(const std::vector<double>& magnitudes) {
    const Span span = spanOf(magnitudes);
    return span.largest <= 1000 * span.smallest ? Symlog{} : always(magnitudes);
}

Symlog Symlog::always(const std::vector<double>& magnitudes) {
    const Span span = spanOf(magnitudes);
    return span.smallest > 0 ? Symlog{std::pow(10.0, std::floor(std::log10(span.smallest)))} : Symlog{};
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
    m_step = 0;
    if (decades < 0.8) {  // less than 1 to 6: even steps read better than 1-2-5
        const double step = std::pow(10.0, std::floor(std::log10((high - low) / 2)));
        const double count = (high - low) / step;
        m_step = step * (count > 8 ? 4 : count > 4 ? 2 : 1);
        const double first = std::ceil(low / m_step);
        for (int i = 0; i <= 20 && (first + i) * m_step <= high; ++i) ticks.append((first + i) * m_step);  // never without end, however narrow
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

QString LogTicker::getTickLabel(double tick, const QLocale&, QChar, int) { return tickText(tick, m_step); }

QVector<double> NumberTicker::createTickVector(double tickStep, const QCPRange& range) {
    m_step = tickStep;
    return QCPAxisTicker::createTickVector(tickStep, range);
}

QString NumberTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    return std::abs(tick) < 1e-6 * m_step ? QStringLiteral("0") : tickText(tick, m_step);
}

QVector<double> IndexTicker::createTickVector(double, const QCPRange& range) {
    double first = std::max(0.0, std::ceil(range.lower)), last = std::floor(range.upper);
    if (!m_labels.isEmpty()) last = std::min(last, static_cast<double>(m_labels.size()) - 1);
    double stride = 1;
    for (const double wider : {2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 10000.0})
        if ((last - first) / stride > m_most) stride = wider;
    QVector<double> ticks;
    for (double tick = std::ceil(first / stride) * stride; tick <= last; tick += stride) ticks.append(tick);
    return ticks;
}

QString IndexTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    const int index = static_cast<int>(std::lround(tick));
    return m_labels.isEmpty() ? QString::number(index) : m_labels.value(index);
}

}  // namespace calibench
