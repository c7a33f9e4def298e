#pragma once

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

#include "ui/run_controller.h"

class QLabel;
class QProgressBar;

namespace calibench {

/// Where the run is, in one line: what it does, how far overall, how far in the block, time spent and time left.
class ProgressLine : public QWidget {
    Q_OBJECT

public:
    explicit ProgressLine(const RunController& controller, QWidget* parent = nullptr);

    [[nodiscard]] QString stageText() const;

private:
    void showState();
    void showProgress();
    void showTimes();

    const RunController& m_controller;
    QLabel* m_stage;
    QProgressBar* m_overall;
    QProgressBar* m_block;
    QLabel* m_times;
    QTimer m_clock;
    QElapsedTimer m_sinceProgress;
};

}  // namespace calibench
