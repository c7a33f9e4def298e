#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/report/inks.h"
#include "core/report/markup.h"

namespace calibench {

struct Box {
    double left = 0, top = 0, width = 0, height = 0;
    [[nodiscard]] double right() const { return left + width; }
    [[nodiscard]] double bottom() const { return top + height; }
};

/// Draws SVG in what every renderer knows of it: no style sheet, no baselines of other names. `hint` is shown when a mark is pointed at.
class SvgCanvas {
public:
    enum class Anchor { Start, Middle, End };
    struct Text {
        double size = 11;
        Anchor anchor = Anchor::Start;
        bool bold = false;
        bool upwards = false;  ///< turned by a quarter
    };
    struct Stroke {
        Ink ink;
        double width = 1;
        std::string dashes = {};
    };

    SvgCanvas(double width, double height, std::string_view title);

    void line(double x1, double y1, double x2, double y2, const Stroke& stroke);
    void polyline(const std::vector<std::array<double, 2>>& points, const Stroke& stroke);
    void rect(const Box& box, const Ink& fill, std::string_view hint = {});
    void circle(double x, double y, double radius, const Ink& fill, const Ink& stroke, std::string_view hint = {});
    /// `y` is the middle of the line's height.
    void text(double x, double y, std::string_view text, const Ink& ink, const Text& how);

    [[nodiscard]] std::string take() { return svg_.take(); }

private:
    void finish(std::string_view name, std::string_view hint, Markup::Attributes attributes);

    Markup svg_;
};

/// About as wide as it is drawn.
[[nodiscard]] double text_width(std::string_view text, double size = 11);

}  // namespace calibench
