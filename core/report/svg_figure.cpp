#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/text.h"
#include "core/report/axis_map.h"
#include "core/report/figure.h"
#include "core/report/svg_canvas.h"

namespace calibench {
namespace {

constexpr double page_width = 720, gap = 22, small = 11, tiny = 9;
constexpr double title_height = 20, key_height = 18, foot_height = 36, scale_width = 56;  // round an area
const std::array<std::string, 4> dashes{"", "7 3", "2 2", "8 2 2 2"};

using Anchor = SvgCanvas::Anchor;

struct Span {
    double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();

    void take(double value, bool positive) {
        if (!std::isfinite(value) || (positive && value <= 0)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    [[nodiscard]] bool empty() const { return low > high; }
};

struct Spans {
    Span x, y;
};

struct SpanOfMarks {
    const Panel& panel;
    Spans all{};

    void take(double x, double y) {
        all.x.take(x, panel.x.scale == Axis::Scale::Log);
        all.y.take(y, panel.y.scale == Axis::Scale::Log);
    }
    void operator()(const Dumbbells& marks) {
        for (const auto& pair : marks.pairs) take(pair.x, pair.from), take(pair.x, pair.to);
    }
    void operator()(const Curves& marks) {
        for (const auto& curve : marks.curves)
            for (const auto& [x, y] : curve.points) take(x, y);
    }
    void operator()(const Bars& marks) {
        for (const auto& bar : marks.bars) take(bar.x, bar.low), take(bar.x, bar.high);
    }
    void operator()(const Cells& marks) {
        if (marks.columns > 0) take(0, 0), take(static_cast<double>(marks.columns - 1), 0);
    }
};

/// What the axes show: that of the marks, and never nothing.
Spans spans_of(const Panel& panel) {
    SpanOfMarks span{panel};
    std::visit(span, panel.marks);
    for (Span* each : {&span.all.x, &span.all.y})
        if (each->empty()) *each = {0.1, 1};
    return span.all;
}

double row_height(const Cells& cells) { return std::clamp(300.0 / static_cast<double>(std::max<size_t>(1, cells.rows.size())), 5.0, 22.0); }

double area_height(const Panel& panel) {
    const Cells* cells = std::get_if<Cells>(&panel.marks);
    return cells ? row_height(*cells) * static_cast<double>(cells->rows.size()) : panel.height;
}

std::string title_of(const Panel& panel) {
    const Cells* cells = std::get_if<Cells>(&panel.marks);
    return panel.title.empty() && cells ? cells->label : panel.title;
}

bool has_key(const Panel& panel) { return std::holds_alternative<Dumbbells>(panel.marks); }

double head_height(const Panel& panel) { return (title_of(panel).empty() ? 6 : title_height) + (has_key(panel) ? key_height : 0); }

double panel_height(const Panel& panel) {
    return head_height(panel) + area_height(panel) + foot_height;
}

std::string plain(double value) { return with_digits(value, 6); }

/// One panel: its frame, its axes and its marks.
class PanelDrawing {
public:
    PanelDrawing(SvgCanvas& canvas, const Panel& panel, const Box& box) : canvas_(canvas), panel_(panel), area_(area_within(panel, box)),
          x_(panel.x, spans_of(panel).x.low, spans_of(panel).x.high, area_.left, area_.right()),
          y_(panel.y, spans_of(panel).y.low, spans_of(panel).y.high, area_.bottom(), area_.top) {}

    void draw() {
        canvas_.text(area_.left, area_.top - head_height(panel_) + title_height / 2, title_of(panel_), inks::text, {.bold = true});
        draw_x_axis();
        if (!std::holds_alternative<Cells>(panel_.marks)) draw_y_axis();
        std::visit([this](const auto& marks) { draw(marks); }, panel_.marks);
    }

private:
    static Box area_within(const Panel& panel, const Box& box) {
        double left = 58, right = 8;
        if (const auto* cells = std::get_if<Cells>(&panel.marks)) {
            left = 0;
            for (const std::string& row : cells->rows) left = std::max(left, text_width(row) + 30);
            right = scale_width;
        } else if (const auto* curves = std::get_if<Curves>(&panel.marks)) {
            for (const auto& curve : curves->curves) right = std::max(right, std::min(170.0, text_width(curve.name, tiny) + 8));
        }
        return {.left = box.left + left, .top = box.top + head_height(panel), .width = box.width - left - right, .height = area_height(panel)};
    }

    void draw_x_axis() {
        canvas_.line(area_.left, area_.bottom(), area_.right(), area_.bottom(), {inks::muted});
        double last = -1e9;
        for (const auto& [place, label] : x_.ticks(static_cast<int>(area_.width / 44))) {
            const double half = text_width(label, tiny) / 2;
            canvas_.line(place, area_.bottom(), place, area_.bottom() + 3, {inks::muted});
            if (place - half < last) continue;
            canvas_.text(place, area_.bottom() + 10, label, inks::muted, {.size = tiny, .anchor = Anchor::Middle});
            last = place + half + 4;
        }
        canvas_.text(area_.left + area_.width / 2, area_.bottom() + 24, panel_.x.label, inks::text, {.anchor = Anchor::Middle});
    }

    void draw_y_axis() {
        for (const auto& [place, label] : y_.ticks(static_cast<int>(std::max(3.0, area_.height / 26)))) {
            canvas_.line(area_.left, place, area_.right(), place, {inks::grid});
            canvas_.text(area_.left - 5, place, label, inks::muted, {.size = tiny, .anchor = Anchor::End});
        }
        canvas_.text(area_.left - 48, area_.top + area_.height / 2, panel_.y.label, inks::text, {.anchor = Anchor::Middle, .upwards = true});
    }

    void draw(const Dumbbells& marks) {
        const Ink ink = inks::categorical(0);
        for (const auto& [x, from, to] : marks.pairs) {
            if (!y_.shows(from) || !y_.shows(to)) continue;
            const std::string hint = concat(panel_.x.label, " ", plain(x), ": ", marks.from_name, " ", plain(from), ", ", marks.to_name, " ", plain(to));
            canvas_.line(x_.place(x), y_.place(from), x_.place(x), y_.place(to), {inks::muted, 1.5});
            canvas_.circle(x_.place(x), y_.place(from), 3.4, inks::paper, ink, hint);
            canvas_.circle(x_.place(x), y_.place(to), 3.4, ink, ink, hint);
        }
        const double y = area_.top - key_height / 2 - 2;
        double x = area_.left + 5;
        for (const bool full : {false, true}) {
            const std::string& name = full ? marks.to_name : marks.from_name;
            canvas_.circle(x, y, 3.4, full ? ink : inks::paper, ink);
            canvas_.text(x + 9, y, name, inks::text, {});
            x += text_width(name) + 32;
        }
    }

    void draw(const Curves& marks) {
        std::vector<std::pair<double, size_t>> ends;  // the lines' last places, from the top
        for (size_t i = 0; i < marks.curves.size(); ++i) {
            const Ink ink = ink_of(marks, i);
            std::vector<std::array<double, 2>> places;
            for (const auto& [x, y] : marks.curves[i].points)
                if (x_.shows(x) && y_.shows(y)) places.push_back({x_.place(x), y_.place(y)});
            if (places.empty()) continue;
            canvas_.polyline(places, {ink, 1.5, dashes[i % dashes.size()]});
            if (marks.dots)
                for (const auto& [x, y] : places) canvas_.circle(x, y, 2.2, ink, ink);
            ends.emplace_back(places.back()[1], i);
        }
        for (const auto& [y, i] : names_apart(std::move(ends))) canvas_.text(area_.right() + 5, y, marks.curves[i].name, ink_of(marks, i), {.size = tiny});
    }

    /// Names beside the ends of their lines, moved so far that they can be read; where there is no room for all, those that need no moving.
    [[nodiscard]] std::vector<std::pair<double, size_t>> names_apart(std::vector<std::pair<double, size_t>> ends) const {
        constexpr double row = tiny + 1;
        std::sort(ends.begin(), ends.end());
        double last = -1e9;
        if (static_cast<double>(ends.size()) * row > area_.height) {
            std::erase_if(ends, [&](const auto& end) { return end.first - last < row || (last = end.first, false); });
            return ends;
        }
        for (auto& [y, i] : ends) last = y = std::max(y, last + row);
        double lowest = area_.bottom();
        for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
            end->first = std::min(end->first, lowest);
            lowest = end->first - row;
        }
        return ends;
    }

    static Ink ink_of(const Curves& marks, size_t i) {
        if (!marks.ordered) return inks::categorical(i);
        const double share = marks.curves.size() > 1 ? static_cast<double>(i) / static_cast<double>(marks.curves.size() - 1) : 0;
        return inks::sequential(0.25 + 0.45 * share);  // the part that can be told from paper and from the dark
    }

    void draw(const Bars& marks) {
        const double width = std::clamp(0.7 * x_.step(), 1.0, 12.0);
        if (y_.shows(0) && y_.place(0) >= area_.top && y_.place(0) <= area_.bottom())
            canvas_.line(area_.left, y_.place(0), area_.right(), y_.place(0), {inks::muted});
        for (const auto& [x, low, high] : marks.bars) {
            if (!y_.shows(low) || !y_.shows(high)) continue;
            const Box box{.left = x_.place(x) - width / 2, .top = y_.place(high), .width = width, .height = std::max(1.0, y_.place(low) - y_.place(high))};
            canvas_.rect(box, inks::categorical(0), concat(panel_.title, ", ", panel_.x.label, " ", plain(x), ": ", plain(low), " … ", plain(high)));
        }
    }

    void draw(const Cells& marks) {
        Span finite;
        for (const auto& value : marks.values)
            if (value) finite.take(*value, false);
        if (finite.empty()) finite = {0, 1};
        double reach = std::max(std::abs(finite.low), std::abs(finite.high));
        if (reach == 0) reach = 1;
        const double low = marks.about_zero ? -reach : finite.low, high = marks.about_zero ? reach : std::max(finite.high, finite.low + 1e-9);
        const auto ink = [&](double value) {
            const double share = (std::clamp(value, low, high) - low) / (high - low);
            return marks.about_zero ? inks::diverging(2 * share - 1) : inks::sequential(share);
        };
        const double width = area_.width / static_cast<double>(std::max<size_t>(1, marks.columns)), height = row_height(marks);
        const bool written = height >= tiny + 3 && width >= text_width(widest_number(marks), 8) + 3;
        for (size_t row = 0; row < marks.rows.size(); ++row) {
            const double top = area_.top + static_cast<double>(row) * height;
            if (height >= 8) canvas_.text(area_.left - 6, top + height / 2, marks.rows[row], inks::text, {.size = std::min(small, height), .anchor = Anchor::End});
            for (size_t column = 0; column < marks.columns; ++column) {
                const auto& value = marks.at(row, column);
                if (!value || std::isnan(*value)) continue;
                const Box box{.left = area_.left + static_cast<double>(column) * width, .top = top, .width = width - std::min(1.0, width / 8), .height = height - std::min(1.0, height / 8)};
                canvas_.rect(box, ink(*value), concat(marks.rows[row], ", ", panel_.x.label, " ", column, ": ", plain(*value)));
                if (written) canvas_.text(box.left + box.width / 2, top + height / 2, number(marks, *value), inks::text_on(ink(*value)), {.size = 8, .anchor = Anchor::Middle});
            }
        }
        draw_colour_scale(marks, low, high, ink);
    }

    template <typename InkOf>
    void draw_colour_scale(const Cells& marks, double low, double high, const InkOf& ink) {
        constexpr int steps = 32;
        const Box bar{.left = area_.right() + 10, .top = area_.top, .width = 9, .height = area_.height};
        for (int i = 0; i < steps; ++i)  // overlapping a little, so that nothing shines through
            canvas_.rect({.left = bar.left, .top = bar.top + bar.height * (steps - 1 - i) / steps, .width = bar.width, .height = bar.height / steps + 0.4},
                         ink(low + (high - low) * (i + 0.5) / steps));
        const AxisMap map({.label = marks.label}, low, high, bar.bottom(), bar.top);
        for (const auto& [place, label] : map.ticks(static_cast<int>(std::clamp(area_.height / 30, 2.0, 6.0))))
            if (place >= bar.top - 1 && place <= bar.bottom() + 1) canvas_.text(bar.right() + 4, place, label, inks::muted, {.size = tiny});
    }

    static std::string number(const Cells& marks, double value) {
        return std::isfinite(value) ? fixed(value, digits_of(marks)) : with_digits(value);
    }
    /// As many behind the point as it takes to see differences.
    static int digits_of(const Cells& marks) {
        Span finite;
        for (const auto& value : marks.values)
            if (value) finite.take(*value, false);
        return finite.high - finite.low < 1 ? 2 : finite.high - finite.low < 10 ? 1 : 0;
    }
    static std::string widest_number(const Cells& marks) {
        std::string widest;
        for (const auto& value : marks.values)
            if (value)
                if (const std::string text = number(marks, *value); text.size() > widest.size()) widest = text;
        return widest;
    }

    SvgCanvas& canvas_;
    const Panel& panel_;
    const Box area_;
    const AxisMap x_, y_;
};

}  // namespace

std::string to_svg(const Figure& figure) {
    const size_t columns = std::max<size_t>(1, figure.columns);
    const double width = (page_width - gap * static_cast<double>(columns - 1)) / static_cast<double>(columns);
    std::vector<double> tops{0};  // of the rows of panels
    for (size_t i = 0; i < figure.panels.size(); i += columns) {
        double height = 0;
        for (size_t j = i; j < std::min(i + columns, figure.panels.size()); ++j) height = std::max(height, panel_height(figure.panels[j]));
        tops.push_back(tops.back() + height + 4);
    }
    SvgCanvas canvas(page_width, tops.back(), figure.title);
    for (size_t i = 0; i < figure.panels.size(); ++i) {
        const Box box{.left = static_cast<double>(i % columns) * (width + gap), .top = tops[i / columns], .width = width, .height = tops[i / columns + 1] - tops[i / columns]};
        PanelDrawing(canvas, figure.panels[i], box).draw();
    }
    return canvas.take();
}

}  // namespace calibench
