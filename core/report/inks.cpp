#include "core/report/inks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "core/base/text.h"

namespace calibench {
namespace {

struct Rgb {
    double red = 0, green = 0, blue = 0;
};

constexpr std::array<Rgb, 11> viridis{{{68, 1, 84}, {72, 36, 117}, {65, 68, 135}, {53, 95, 141}, {42, 120, 142}, {33, 145, 140},
                                       {34, 168, 132}, {68, 191, 112}, {122, 209, 81}, {189, 223, 38}, {253, 231, 37}}};
constexpr std::array<Rgb, 5> orange_to_blue{{{179, 88, 6}, {241, 163, 64}, {233, 235, 237}, {103, 169, 207}, {5, 88, 150}}};

// Their eighth colour, black, is the text's; yellow cannot be read on paper and is left to the dark.
struct NamedInk {
    const char *name, *light, *dark;
};
constexpr std::array<NamedInk, 6> okabe_ito{{{"c0", "#0072b2", "#4a9ede"}, {"c1", "#d55e00", "#e8743b"}, {"c2", "#009e73", "#1fb98c"},
                                             {"c3", "#cc79a7", "#cc79a7"}, {"c4", "#e69f00", "#e69f00"}, {"c5", "#56b4e9", "#86cdf5"}}};
constexpr std::array<NamedInk, 4> plain{{{"text", "#1b1f23", "#e6e9ec"}, {"muted", "#56606a", "#a3adb7"}, {"grid", "#d9dee3", "#3a4148"},
                                         {"paper", "#ffffff", "#16191c"}}};

Ink between(std::span<const Rgb> stops, double share) {
    const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
    const auto first = std::min(static_cast<size_t>(place), stops.size() - 2);
    const double part = place - static_cast<double>(first);
    const auto mixed = [&](double Rgb::*channel) { return static_cast<int>(std::lround((1 - part) * stops[first].*channel + part * stops[first + 1].*channel)); };
    char text[8];
    std::snprintf(text, sizeof text, "#%02x%02x%02x", mixed(&Rgb::red) & 255, mixed(&Rgb::green) & 255, mixed(&Rgb::blue) & 255);
    return {"", text};
}

Ink ink(const NamedInk& named) { return {named.name, named.light}; }

}  // namespace

namespace inks {

const Ink none{"", "none"}, text = ink(plain[0]), muted = ink(plain[1]), grid = ink(plain[2]), paper = ink(plain[3]);

Ink categorical(size_t index) { return ink(okabe_ito[index % okabe_ito.size()]); }
Ink sequential(double share) { return between(viridis, share); }
Ink diverging(double share) { return between(orange_to_blue, (share + 1) / 2); }

Ink text_on(const Ink& ground) {
    const auto channel = [&](size_t at) { return static_cast<double>(std::strtol(ground.colour.substr(at, 2).c_str(), nullptr, 16)); };
    const double lightness = 0.299 * channel(1) + 0.587 * channel(3) + 0.114 * channel(5);
    return {"", lightness > 140 ? "#000000" : "#ffffff"};
}

}  // namespace inks

std::string dark_inks() {
    std::string css;
    const auto add = [&css](const NamedInk& named) {
        css += concat(".fill-", named.name, "{fill:", named.dark, "}.stroke-", named.name, "{stroke:", named.dark, "}");
    };
    for (const NamedInk& named : plain) add(named);
    for (const NamedInk& named : okabe_ito) add(named);
    return css;
}

}  // namespace calibench
