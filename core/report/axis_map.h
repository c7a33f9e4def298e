#pragma once

#include <string>
#include <vector>

#include "core/report/figure.h"

namespace calibench {

/// Where the values of an axis lie on the paper.
class AxisMap {
public:
    struct Tick {
        double place = 0;
        std::string label;
    };

    /// `low` .. `high` are the values to be shown, `from` .. `to` the places of the axis' ends.
    AxisMap(const Axis& axis, double low, double high, double from, double to);

    [[nodiscard]] double place(double value) const;
    [[nodiscard]] bool shows(double value) const;  ///< finite, and above zero on a logarithmic axis
    /// At most about so many.
    [[nodiscard]] std::vector<Tick> ticks(int most) const;
    [[nodiscard]] double step() const { return place(1) - place(0); }  ///< of whole numbers

private:
    [[nodiscard]] double scaled(double value) const;
    [[nodiscard]] std::vector<double> even_ticks(int most) const;
    [[nodiscard]] std::vector<double> log_ticks(int most) const;
    [[nodiscard]] std::vector<double> symlog_ticks(int most) const;

    Axis::Scale scale_;
    bool whole_numbers_;
    double low_, high_, from_, to_;
    double linear_ = 1;  ///< Symlog: up to here it is linear
};

/// Significant digits: "0.0312", "3.1e-5", "1240", "∞".
[[nodiscard]] std::string with_digits(double value, int digits = 3);

}  // namespace calibench
