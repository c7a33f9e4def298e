#pragma once

#include <QAction>
#include <QTest>

#include "tests/ui/fake_core.h"
#include "ui/format.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench::test {

/// The fake core with a recipe that means 4 bits in groups of 8 for every Linear of a block, and a run that quantizes them.
inline CoreServices lensCore() {
    CoreServices services = fakeCore();
    services.resolveRecipe = [](const Recipe&, const ModelSummary& model) {
        ResolvedRecipe resolved;
        for (const ModuleInfo& module : model.modules)
            if (module.class_name == "Linear" && module.block >= 0) {
                QuantizationScheme scheme;
                scheme.weights = QuantizationArgs{.num_bits = 4, .group_size = 8, .strategy = Strategy::Group};
                if (module.name.ends_with("q_proj")) scheme.input_activations = QuantizationArgs{.num_bits = 8, .strategy = Strategy::Tensor};
                resolved.modules.push_back({.name = module.name, .scheme = scheme});
            }
        return resolved;
    };
    services.runCalibration = [](const RunConfig& config, RunListener& listener, RunControl&) {
        const ModelSummary model = denseModel(2);
        listener.on_event(startOf(model, 3));
        for (int block = 0; block < 2; ++block) {
            listener.on_event(BlockStarted{.block = block});
            for (const ModuleInfo& module : model.modules)
                if (module.block == block) listener.on_event(ModuleQuantized{.block = block, .module = module.name, .scheme = "W4 g8 sym", .weight_sqnr_db = 20});
            listener.on_event(BlockFinished{.block = block, .initial_loss_mse = 1e-4, .best_loss_mse = 5e-5, .best_iteration = 2, .seconds = 1});
        }
        return RunSummary{.seconds = 2, .num_quantized_modules = 6, .output_dir = config.output_dir, .run_dir = config.run_dir};
    };
    return services;
}

/// A model and a recipe on the fake core, without a window around.
struct LensBench {
    explicit LensBench(CoreServices services = lensCore()) : session(std::move(services)), controller(session.services().runCalibration) {
        QObject::connect(&session, &Session::recipeChangeRequested, &session, &Session::setRecipe);  // as the editor does
        session.openModel(QStringLiteral("/models/tiny"));
        session.setRecipe(QStringLiteral("test_stage: {}\n"));
        if (!QTest::qWaitFor([this] { return session.modelState() == Session::ModelState::Ready && !session.checkingRecipe() && !session.resolvedModules().empty(); }, 5000))
            qFatal("the fake model does not open");
        controller.clear(session.model());
    }
    void run() {
        controller.start({.model_dir = "/models/tiny", .output_dir = "/exports/tiny", .run_dir = "/runs/tiny"}, session.model());
        if (!QTest::qWaitFor([this] { return !controller.active(); }, 5000)) qFatal("the fake run does not end");
    }

    Session session;
    RunController controller;
};

inline QAction* actionOf(const QWidget& widget, const QString& text) {
    for (QAction* action : widget.actions())
        if (action->text() == text) return action;
    return nullptr;
}

}  // namespace calibench::test
