#include "ui/plots/series_store.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calibench {

namespace {

/// The points that draw one pixel column: indices in rising order, without repeats.
void appendColumn(const std::vector<SeriesPoint>& points, size_t begin, size_t end, std::vector<SeriesPoint>& out) {
    const auto byValue = [&](size_t a, size_t b) { return points[a].y < points[b].y; };
    size_t lowest = begin, highest = begin;
    for (size_t i = begin + 1; i < end; ++i) {
        if (byValue(i, lowest)) lowest = i;
        if (byValue(highest, i)) highest = i;
    }
    size_t kept[] = {begin, lowest, highest, end - 1};
    std::sort(std::begin(kept), std::end(kept));
    const auto last = std::unique(std::begin(kept), std::end(kept));
    for (auto i = std::begin(kept); i != last; ++i) out.push_back(points[*i]);
}

}  // namespace

void SeriesStore::Extent::include(const Extent& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    lowPositive = std::min(lowPositive, other.lowPositive);
}

void SeriesStore::append(double x, double y) {
    m_points.push_back({x, y});
    if (std::isfinite(y))
        m_extent.include({y, y, y > 0 ? y : std::numeric_limits<double>::infinity()});
    else
        ++m_numNotFinite;
}

size_t SeriesStore::nearest(double x) const {
    auto place = std::lower_bound(m_points.begin(), m_points.end(), x, [](const SeriesPoint& point, double value) { return point.x < value; });
    if (place == m_points.end() || (place != m_points.begin() && x - std::prev(place)->x < place->x - x)) --place;
    return static_cast<size_t>(place - m_points.begin());
}

std::vector<SeriesPoint> SeriesStore::decimated(double lower, double upper, int columns) const {
    const auto before = [](const SeriesPoint& point, double x) { return point.x < x; };
    auto first = std::lower_bound(m_points.begin(), m_points.end(), lower, before);
    auto last = std::upper_bound(first, m_points.end(), upper, [](double x, const SeriesPoint& point) { return x < point.x; });
    if (first != m_points.begin()) --first;
    if (last != m_points.end()) ++last;

    const double columnsPerUnit = upper > lower ? std::max(columns, 1) / (upper - lower) : 0;
    const auto column = [&](size_t i) { return std::floor((m_points[i].x - lower) * columnsPerUnit); };

    std::vector<SeriesPoint> out;
    const auto end = static_cast<size_t>(last - m_points.begin());
    for (auto i = static_cast<size_t>(first - m_points.begin()); i < end;) {
        if (!std::isfinite(m_points[i].y)) {
            out.push_back({m_points[i].x, std::numeric_limits<double>::quiet_NaN()});
            ++i;
            continue;
        }
        size_t next = i + 1;
        while (next < end && std::isfinite(m_points[next].y) && column(next) == column(i)) ++next;
        appendColumn(m_points, i, next, out);
        i = next;
    }
    return out;
}

}  // namespace calibench
