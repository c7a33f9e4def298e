#include "ui/lens/specimen.h"

#include <algorithm>

#include "ui/format.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

WeightRequest Specimen::rounded(const QuantizationArgs& weights, const InputInspection* inputs) const {
    WeightRequest request;
    request.model_dir = model;
    request.module = module;
    request.weights = weights;
    if (inputs) request.channel_mean_square = inputs->facts().channel_mean_square;
    return request;
}

WeightRequest Specimen::asTheRunLeftIt() const {
    WeightRequest request;
    request.model_dir = model;
    request.module = module;
    request.checkpoint_dir = checkpoint;
    request.run_dir = blocks;
    return request;
}

namespace {

/// What a run knows of the module by now.
void addRun(Specimen& specimen, const RunController& controller) {
    const RunRecord& record = controller.record();
    const ModuleRecord* known = record.started() ? record.find(specimen.module) : nullptr;
    if (!known || !known->sqnrDb) return;
    const auto block = static_cast<size_t>(known->block);
    const bool atWork = known->block >= 0 && (block >= record.blocks().size() || record.blocks()[block].state != BlockRecord::State::Done);
    if (atWork) return;
    specimen.run = controller.config().run_dir;
    if (controller.summary() && !controller.summary()->output_dir.empty())
        specimen.checkpoint = controller.summary()->output_dir;
    else
        specimen.blocks = specimen.run;
}

}  // namespace

Specimen specimenOf(const QString& module, const Session& session, const RunController& controller) {
    Specimen specimen{.model = toPath(session.modelFolder()), .module = module.toStdString()};
    const auto& resolved = session.resolvedModules();
    const auto found = std::find_if(resolved.begin(), resolved.end(), [&](const ResolvedModule& other) { return other.name == specimen.module; });
    if (found != resolved.end()) specimen.scheme = found->scheme;
    addRun(specimen, controller);
    return specimen;
}

std::vector<Specimen> allSpecimens(const Session& session, const RunController& controller) {
    std::vector<Specimen> all;
    const std::filesystem::path model = toPath(session.modelFolder());
    for (const ResolvedModule& module : session.resolvedModules()) {
        all.push_back({.model = model, .module = module.name, .scheme = module.scheme});
        addRun(all.back(), controller);
    }
    return all;
}

}  // namespace calibench
