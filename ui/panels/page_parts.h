#pragma once

#include <QList>

class QProgressBar;
class QWidget;

namespace calibench {

// What pages are put together of.

/// Fills `page` to its edges with `parts`, one right below the other; the last takes the room that is left.
void fill(QWidget* page, const QList<QWidget*>& parts);

/// A page with `parts`, on the ground that plots and tables have.
[[nodiscard]] QWidget* makePage(const QList<QWidget*>& parts);

/// A row of controls above a plot or a table, on the window's ground, on which they can be seen. The first takes the room that is left.
[[nodiscard]] QWidget* makeBar(const QList<QWidget*>& controls);

/// How far something is, small enough for a bar.
void styleProgress(QProgressBar* progress);

}  // namespace calibench
