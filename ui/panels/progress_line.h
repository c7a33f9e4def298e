#pragma once

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

#include <optional>

#include "ui/run_controller.h"

class QLabel;
class QProgressBar;

namespace calibench {

/// Where the run is, in one line: what it does, how far overall and in the block, how the block's loss falls, how fast it goes, time
/// spent and time left. Full numbers are in the tooltips.
class ProgressLine : public QWidget {
    Q_OBJECT

public:
    explicit ProgressLine(const RunController& controller, QWidget* parent = nullptr);

    [[nodiscard]] QString stageText() const;

private:
    void showState();
    void showProgress();
    void showLoss();
    void showSpeed();
    void showTimes();

    const RunController& m_controller;
    QLabel* m_stage;
    QProgressBar* m_overall;
    QProgressBar* m_block;
    QLabel *m_loss, *m_speed, *m_times;
    QTimer m_clock;
    QElapsedTimer m_sinceProgress;
    std::optional<Progress> m_speedFrom;  ///< the block's tuning is timed from here on; unset while it is not under way
};

}  // namespace calibench
