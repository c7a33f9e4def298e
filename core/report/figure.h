#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace calibench {

// A plot as what it shows, told apart from how it is drawn. Values that are not finite are left out of a drawing.

struct Axis {
    enum class Scale { Linear, Log, Symlog };  ///< Symlog: linear near zero, logarithmic beyond, for ranges of many magnitudes
    std::string label;                         ///< with the unit
    Scale scale = Scale::Linear;
    bool whole_numbers = false;                ///< ticks are blocks, iterations, experts: each value has half a step of room
};

/// From one value to another at each x, as a hollow and a full dot.
struct Dumbbells {
    struct Pair {
        double x = 0, from = 0, to = 0;
    };
    std::string from_name, to_name;
    std::vector<Pair> pairs;
};

/// Lines with their names at their ends. Told apart by the order of their colours and by their dashes.
struct Curves {
    struct Curve {
        std::string name;
        std::vector<std::array<double, 2>> points;  ///< by rising x
    };
    std::vector<Curve> curves;
    bool ordered = false;  ///< curve follows curve, as blocks do: their colours do as well
    bool dots = false;     ///< every point is marked
};

/// From low to high at each x.
struct Bars {
    struct Bar {
        double x = 0, low = 0, high = 0;
    };
    std::vector<Bar> bars;
};

/// A colour and, where there is room, a number for each row and column; unset: there is none.
struct Cells {
    std::vector<std::string> rows;
    size_t columns = 0;
    std::vector<std::optional<double>> values;  ///< row by row; infinite ones are told apart from the largest
    std::string label;                          ///< of the colours, with the unit
    bool about_zero = false;                    ///< differences: zero is neither good nor bad

    [[nodiscard]] std::optional<double>& at(size_t row, size_t column) { return values[row * columns + column]; }
    [[nodiscard]] const std::optional<double>& at(size_t row, size_t column) const { return values[row * columns + column]; }
};

using Marks = std::variant<Dumbbells, Curves, Bars, Cells>;

struct Panel {
    std::string title;
    Axis x, y;
    Marks marks;
    double height = 220;  ///< of the area between the axes; cells have their own
};

/// Panels in rows of `columns`.
struct Figure {
    std::string title;  ///< said in place of the picture
    std::vector<Panel> panels;
    size_t columns = 1;
};

/// A picture of its own, readable at the width of a printed page (720 units of 1/96 inch). It has no style sheet, so that anything draws
/// it; see Ink for what a page's own may change.
[[nodiscard]] std::string to_svg(const Figure& figure);

}  // namespace calibench
