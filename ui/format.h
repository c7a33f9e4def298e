#pragma once

#include <QString>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace calibench {

// How numbers and names look in the window: three significant digits in tables, all digits on hover and copy.

[[nodiscard]] QString formatNumber(double value);               ///< "0.0312", "3.1e-5", "NaN"
[[nodiscard]] QString formatExact(double value);                ///< shortest text that reads back as the same double
[[nodiscard]] QString formatExact(float value);                 ///< or as the same float
[[nodiscard]] QString formatRange(double low, double high);     ///< "-0.312 … 0.298"
[[nodiscard]] QString formatExactRange(double low, double high);
[[nodiscard]] QString formatCount(int64_t count);               ///< grouped by the locale
[[nodiscard]] QString formatBytes(double bytes);                ///< "513 MiB"
[[nodiscard]] QString formatDuration(double seconds);           ///< "1:23:45"
[[nodiscard]] QString formatShape(const std::vector<int64_t>& shape);  ///< "576 × 1536"

[[nodiscard]] std::filesystem::path toPath(const QString& text);
[[nodiscard]] QString toText(const std::filesystem::path& path);

}  // namespace calibench
