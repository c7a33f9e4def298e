#include "app/gui/display.h"

#include <QByteArray>
#include <QtGlobal>

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace calibench {

bool haveDisplay(int argc, char** argv) {
    const auto given = [&](std::initializer_list<std::string_view> names) {
        return std::any_of(argv + 1, argv + argc, [&](std::string_view argument) { return std::find(names.begin(), names.end(), argument) != names.end(); });
    };
#if defined(Q_OS_LINUX)
    // Who names a platform knows better.
    const bool platformNamed = !qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM") || given({"-platform", "--platform"});
    if (platformNamed || !qEnvironmentVariableIsEmpty("DISPLAY") || !qEnvironmentVariableIsEmpty("WAYLAND_DISPLAY")) return true;
    qputenv("QT_QPA_PLATFORM", "offscreen");
    if (given({"-h", "--help", "--help-all", "-v", "--version"})) return true;
    std::fputs("calibench: there is no display here (DISPLAY and WAYLAND_DISPLAY are not set). Log in with one (ssh -X), or use calibench-cli.\n", stderr);
    return false;
#else
    return true;
#endif
}

}  // namespace calibench
