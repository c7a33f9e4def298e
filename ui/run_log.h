#pragma once

#include <QObject>

#include "ui/run_feed.h"

namespace calibench {

class LogModel;
class RunController;
class WarningModel;

/// Writes what happens in a run into the log, in words, and its warnings into their list.
class RunLog : public QObject {
    Q_OBJECT

public:
    RunLog(RunController& controller, LogModel& log, WarningModel& warnings, QObject* parent = nullptr);

private:
    void apply(const RunSnapshot& snapshot);
    [[nodiscard]] QString nameOf(int64_t block) const;

    RunController& m_controller;
    LogModel& m_log;
    WarningModel& m_warnings;
};

/// "-22.3 %": how much lower the best loss is than round to nearest's; empty when there is nothing to compare.
[[nodiscard]] QString lossChange(double initial, double best);

}  // namespace calibench
