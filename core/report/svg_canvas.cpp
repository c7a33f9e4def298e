#include "core/report/svg_canvas.h"

#include <algorithm>

#include "core/base/text.h"

namespace calibench {
namespace {

std::string classes(const Ink& fill, const Ink& stroke) {
    std::string all;
    if (!fill.name.empty()) all = concat("fill-", fill.name);
    if (!stroke.name.empty()) all += concat(all.empty() ? "" : " ", "stroke-", stroke.name);
    return all;
}

std::string_view name_of(SvgCanvas::Anchor anchor) {
    switch (anchor) {
        case SvgCanvas::Anchor::Start: break;
        case SvgCanvas::Anchor::Middle: return "middle";
        case SvgCanvas::Anchor::End: return "end";
    }
    return "start";
}

}  // namespace

double text_width(std::string_view text, double size) {
    const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    return 0.57 * size * static_cast<double>(characters);
}

SvgCanvas::SvgCanvas(double width, double height, std::string_view title) {
    svg_.open("svg", {{"xmlns", "http://www.w3.org/2000/svg"}, {"viewBox", concat("0 0 ", decimal(width), " ", decimal(height))},
                      {"width", width}, {"height", height}, {"role", "img"}, {"aria-label", title},
                      {"font-family", "system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif"}});
    svg_.break_line();
}

void SvgCanvas::finish(std::string_view name, std::string_view hint, Markup::Attributes attributes) {
    if (hint.empty()) return svg_.empty(name, attributes);
    svg_.open(name, attributes);
    svg_.element("title", hint);
    svg_.close();
}

void SvgCanvas::line(double x1, double y1, double x2, double y2, const Stroke& stroke) {
    svg_.empty("line", {{"x1", x1}, {"y1", y1}, {"x2", x2}, {"y2", y2}, {"class", classes(inks::none, stroke.ink)}, {"stroke", stroke.ink.colour},
                        {"stroke-width", stroke.width}});
}

void SvgCanvas::polyline(const std::vector<std::array<double, 2>>& points, const Stroke& stroke) {
    std::string places;
    for (const auto& [x, y] : points) places += concat(places.empty() ? "" : " ", decimal(x, 1), ",", decimal(y, 1));
    svg_.empty("polyline", {{"points", places}, {"fill", "none"}, {"class", classes(inks::none, stroke.ink)}, {"stroke", stroke.ink.colour},
                            {"stroke-width", stroke.width}, {"stroke-linejoin", "round"}, {"stroke-dasharray", stroke.dashes}});
}

void SvgCanvas::rect(const Box& box, const Ink& fill, std::string_view hint) {
    finish("rect", hint, {{"x", box.left}, {"y", box.top}, {"width", box.width}, {"height", box.height}, {"class", classes(fill, inks::none)}, {"fill", fill.colour}});
}

void SvgCanvas::circle(double x, double y, double radius, const Ink& fill, const Ink& stroke, std::string_view hint) {
    finish("circle", hint, {{"cx", x}, {"cy", y}, {"r", radius}, {"class", classes(fill, stroke)}, {"fill", fill.colour}, {"stroke", stroke.colour},
                            {"stroke-width", 1.5}});
}

void SvgCanvas::text(double x, double y, std::string_view text, const Ink& ink, const Text& how) {
    if (text.empty()) return;
    const double baseline = y + 0.35 * how.size;
    const std::string turn = how.upwards ? concat("rotate(-90 ", decimal(x), " ", decimal(y), ")") : std::string();
    svg_.element("text", {{"x", x}, {"y", baseline}, {"font-size", how.size}, {"font-weight", how.bold ? "600" : ""},
                          {"text-anchor", name_of(how.anchor)}, {"transform", turn}, {"class", classes(ink, inks::none)}, {"fill", ink.colour}}, text);
}

}  // namespace calibench
