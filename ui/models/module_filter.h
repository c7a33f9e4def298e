#pragma once

#include <QSortFilterProxyModel>

#include <functional>
#include <vector>

namespace calibench {

class ModelTreeModel;

/// The rows of a ModelTreeModel whose name or scheme holds the text, whatever its case, or whose name matches a recipe's target
/// ("re:.*q_proj"); with them the groups they are in and all that is below them. Sorts when a header is clicked, not before:
/// rows stay where they are while numbers stream.
class ModuleFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    explicit ModuleFilter(ModelTreeModel& model, QObject* parent = nullptr);

    void setText(const QString& text);
    [[nodiscard]] QString text() const { return m_text; }
    [[nodiscard]] int matchCount() const { return m_matches; }  ///< of the rows themselves, when there is a text
    /// What is wrong with a regular expression; empty when nothing is.
    [[nodiscard]] QString problem() const { return m_problem; }

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

private:
    void recompute();
    bool decide(const QModelIndex& index, bool parentMatches, const std::function<bool(const QModelIndex&)>& matches);

    ModelTreeModel& m_model;
    QString m_text, m_problem;
    int m_matches = 0;
    std::vector<bool> m_shown;  ///< by internal id: asked once a text, not once for every child of every row
};

}  // namespace calibench
