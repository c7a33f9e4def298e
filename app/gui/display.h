#pragma once

namespace calibench {

/// Qt aborts where it finds no display. False, with a sentence on stderr that says what to do, when a window could not be shown;
/// --help and --version need none and are let through. Call before QApplication is made.
[[nodiscard]] bool haveDisplay(int argc, char** argv);

}  // namespace calibench
