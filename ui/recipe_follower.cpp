#include "ui/recipe_follower.h"

#include "ui/models/log_model.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

RecipeFollower::RecipeFollower(RunController& controller, Session& session, LogModel& log, QObject* parent) : QObject(parent) {
    connect(&controller, &RunController::recipeChanged, this, [&session, &log](const QString& before, const QString& now) {
        if (session.recipe() == now) return;
        if (session.recipe() == before) {
            session.changeRecipe(now);
            log.add(LogModel::Severity::Info, tr("The run follows a changed recipe, which is now in the editor"));
        } else {
            log.add(LogModel::Severity::Info, tr("The run follows a changed recipe; the editor keeps yours, which was changed meanwhile"));
        }
    });
}

}  // namespace calibench
