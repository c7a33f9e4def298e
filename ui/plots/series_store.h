#pragma once

#include <cstddef>
#include <limits>
#include <vector>

namespace calibench {

struct SeriesPoint {
    double x = 0;
    double y = 0;
    bool operator==(const SeriesPoint&) const = default;
};

/// A growing curve, kept whole; x never falls. A plot takes from it what its width in pixels can show.
class SeriesStore {
public:
    /// Smallest and largest of the finite values so far, and the smallest above zero; infinite where there is none.
    struct Extent {
        double low = std::numeric_limits<double>::infinity();
        double high = -std::numeric_limits<double>::infinity();
        double lowPositive = std::numeric_limits<double>::infinity();
        void include(const Extent& other);
    };

    void append(double x, double y);
    [[nodiscard]] const std::vector<SeriesPoint>& points() const { return m_points; }
    [[nodiscard]] size_t size() const { return m_points.size(); }
    [[nodiscard]] bool empty() const { return m_points.empty(); }
    [[nodiscard]] const Extent& extent() const { return m_extent; }
    [[nodiscard]] size_t numNotFinite() const { return m_numNotFinite; }
    [[nodiscard]] size_t nearest(double x) const;  ///< index; the store must not be empty

    /// The points of [lower, upper] and one neighbour on each side, thinned to first, lowest, highest and last of each of
    /// `columns` pixel columns: the drawn line is the same, no peak is lost. A value that is not finite stays as NaN where
    /// it was, so that the line breaks there.
    [[nodiscard]] std::vector<SeriesPoint> decimated(double lower, double upper, int columns) const;

private:
    std::vector<SeriesPoint> m_points;
    Extent m_extent;
    size_t m_numNotFinite = 0;
};

}  // namespace calibench
