#pragma once

#include <QByteArray>

#include "core/report/report.h"

namespace calibench {

/// The report as pages of A4, its pictures as drawings that can be enlarged. Tables that a screen has folded are left to the HTML page.
/// May be called on any thread.
[[nodiscard]] QByteArray pdfOf(const Report& report);

}  // namespace calibench
