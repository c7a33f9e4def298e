#pragma once

#include <QObject>

#include "ui/run_feed.h"

namespace calibench {

class LogModel;
class RunController;

/// Writes what happens in a run into the log, in words.
class RunLog : public QObject {
    Q_OBJECT

public:
    RunLog(RunController& controller, LogModel& log, QObject* parent = nullptr);

private:
    void apply(const RunSnapshot& snapshot);

    LogModel& m_log;
};

/// "-22.3 %": how much lower the best loss is than round to nearest's; empty when there is nothing to compare.
[[nodiscard]] QString lossChange(double initial, double best);

}  // namespace calibench
