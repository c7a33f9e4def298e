#pragma once

#include <QList>
#include <QObject>
#include <QPointer>

class QWidget;

namespace calibench {

class Actions;
class FileSaver;
class Plot;
class RunController;
class Session;

/// Saves plots as pictures and as numbers: from each plot's own menu, and from the window's for the plot that was used last among those in
/// sight.
class PlotCommands : public QObject {
    Q_OBJECT

public:
    /// For the plots that are in `window` by now. `window` is the parent of this object.
    PlotCommands(Actions& actions, FileSaver& saver, const Session& session, const RunController& controller, QWidget* window);

    void savePicture(const Plot* plot);
    void saveNumbers(const Plot* plot);
    [[nodiscard]] Plot* current() const;  ///< null when no plot is in sight

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void showState();
    [[nodiscard]] QString nameFor(const Plot* plot) const;

    Actions& m_actions;
    FileSaver& m_saver;
    const Session& m_session;
    const RunController& m_controller;
    QList<Plot*> m_plots;
    QPointer<Plot> m_last;
};

}  // namespace calibench
