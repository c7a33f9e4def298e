#pragma once

#include <string>
#include <string_view>

namespace calibench {

/// A colour as it is on paper. Where it has a name, a page's style sheet may give it another value in the dark: elements that are
/// filled with it have the class "fill-<name>", those that are drawn with it "stroke-<name>".
struct Ink {
    std::string name;
    std::string colour;  ///< "#1b1f23", or "none"
};

namespace inks {
extern const Ink none, text, muted, grid, paper;
/// Okabe and Ito's colours, which people with any colour vision tell apart.
[[nodiscard]] Ink categorical(size_t index);
/// Viridis, 0 .. 1: rises evenly in lightness, for anyone's eyes and in print.
[[nodiscard]] Ink sequential(double share);
/// -1 .. 1: orange, grey, blue.
[[nodiscard]] Ink diverging(double share);
/// Text that can be read on `ground`.
[[nodiscard]] Ink text_on(const Ink& ground);
}  // namespace inks

/// The style sheet's rules for inks with names where the page is dark.
[[nodiscard]] std::string dark_inks();

}  // namespace calibench
