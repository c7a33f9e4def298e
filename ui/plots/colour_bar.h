#pragma once

#include <QList>

class QCPAxisRect;
class QCPColorScale;

namespace calibench {

/// Tells what the colours of a map stand for, as high as `panels`. It is yet to be placed right of them.
[[nodiscard]] QCPColorScale* makeColourBar(const QList<QCPAxisRect*>& panels);

}  // namespace calibench
