#pragma once

#include <QObject>

namespace calibench {

class LogModel;
class RunController;
class Session;

/// Keeps the recipe in the editor the one that runs: when an order changes a run's recipe the editor follows, unless its text was
/// changed meanwhile.
class RecipeFollower : public QObject {
    Q_OBJECT

public:
    RecipeFollower(RunController& controller, Session& session, LogModel& log, QObject* parent = nullptr);
};

}  // namespace calibench
