#pragma once

#include <QAction>
#include <QWidget>

#include <optional>

#include "core/calibration/run_events.h"

class QCheckBox;
class QComboBox;
class QLineEdit;
class QTreeView;

namespace calibench {

class StatePage;
class WarningFilter;
class WarningModel;

/// The warnings of a run as a list: a click or Enter asks to be shown what a warning speaks of, and what is no news can be ignored.
class WarningsPanel : public QWidget {
    Q_OBJECT

public:
    explicit WarningsPanel(WarningModel& warnings, QWidget* parent = nullptr);

    [[nodiscard]] QTreeView* view() const { return m_view; }
    QAction *showPlace, *ignore, *ignoreKind, *restore, *copy;  ///< a disabled one says why in its tooltip

Q_SIGNALS:
    /// `module` may be a block ("model.layers.3"), or empty: the run as a whole.
    void placeRequested(calibench::Warning::Kind kind, const QString& module);

private:
    void makeView();
    QWidget* makeBar();
    void refresh();  ///< what can be done, and what there is to see
    void requestPlace(const QModelIndex& index);
    void copyTable() const;
    [[nodiscard]] std::optional<Warning::Kind> currentKind() const;

    WarningModel& m_warnings;
    WarningFilter* m_filter;
    QTreeView* m_view;
    StatePage* m_page;
    QLineEdit* m_text;
    QComboBox* m_kinds;
    QCheckBox* m_ignored;
};

}  // namespace calibench
