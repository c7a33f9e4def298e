#pragma once

#include <vector>

#include "ui/palette/palette_model.h"

namespace calibench {

class MainWindow;
class Settings;

/// All that the palette of `window` can do now: its commands, its model's modules, what was open lately, and the samples.
[[nodiscard]] std::vector<PaletteEntry> paletteEntries(MainWindow& window, const Settings& settings, const QString& resources);

}  // namespace calibench
