#pragma once

#include <QList>

class QFont;
class QLineEdit;
class QString;
class QTreeView;

namespace calibench {

// What the tables of modules and of runs have in common: rows with bars in their cells, sorted by a click, filtered from a field above.

/// Call once the table has its model. `font` is the page's, the table's is a little smaller.
void styleRowTable(QTreeView* table, const QFont& font, const QString& accessibleName);
void styleFilterField(QLineEdit* field, const QString& placeholder, const QString& accessibleName);

/// Of the model behind the table's QAbstractProxyModel, in the order in which the table shows them.
[[nodiscard]] QList<int> selectedSourceRows(const QTreeView& table);

}  // namespace calibench
