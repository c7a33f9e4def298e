#pragma once

#include <span>

namespace calibench {

/// What is known of the values t in [low, high]: sums of their weights w, of w (t - centre) and of w (t - centre)^2.
struct MomentSums {
    double low, high, centre;
    double weight, first, second;
};

/// The sum of w (t - q(t))^2, where q(t) is the level next to t, of values known by cells only.
/// A cell whose values all have one next level q gives it exactly: it follows from the sums.
/// Where the border b between levels p and q parts a cell, (|t-p|^2 + |t-q|^2) / 2 - |p-q| |t-b| is summed; the sum of w |t-b| lies
/// between w |mean - b| (Jensen) and the lesser of sqrt(w sum w (t-b)^2) (Cauchy-Schwarz) and the chord over [low, high].
struct NoiseBounds {
    double least = 0, estimate = 0, most = 0;

    /// `levels`: ascending, at least one.
    void add(const MomentSums& cell, std::span<const double> levels);
    /// As if every error had been changed by some amount, of which the root of the weighted sum of squares is at most `distance`.
    void widen(double distance);
};

}  // namespace calibench
