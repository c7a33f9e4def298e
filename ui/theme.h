#pragma once

#include <QIcon>
#include <QPalette>

#include "ui/settings.h"

namespace calibench {

/// Fusion style and the application's own resources; call once, before the first window.
void installStyle();
void applyTheme(Theme theme);

[[nodiscard]] QPalette lightPalette();
[[nodiscard]] QPalette darkPalette();
[[nodiscard]] bool isDark(const QPalette& palette);

/// Colours that the palette has no role for, readable on `palette`.
[[nodiscard]] QColor errorColour(const QPalette& palette);
[[nodiscard]] QColor warningColour(const QPalette& palette);
[[nodiscard]] QColor successColour(const QPalette& palette);
[[nodiscard]] QColor mutedText(const QPalette& palette);

/// One of resources/icons/<name>.svg, drawn in the palette's text colour whenever it is painted, so it follows the theme.
[[nodiscard]] QIcon symbolicIcon(const QString& name);

}  // namespace calibench
