#include "core/analysis/overview.h"

#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/analysis/model_files.h"
#include "core/analysis/module_badness.h"
#include "core/analysis/quantized_weight.h"
#include "core/analysis/weight_measurement.h"
#include "core/base/error.h"

namespace calibench {
namespace {

/// Looks at one module after the other.
class Inspector {
public:
    explicit Inspector(const OverviewRequest& request) : request_(request), model_(open_model_files(request.model_dir)), quantized_(*model_) {
        if (request.run_dir.empty()) return;
        for (OutputError& error : read_output_errors(request.run_dir)) outputs_.emplace(error.module, std::move(error));
    }

    [[nodiscard]] ModuleOverview look(const ResolvedModule& module) {
        ModuleOverview overview;
        overview.weight.module = module.name;
        const at::Tensor weight = model_->weight(module.name);
        try {
            overview.weight = measure(module, weight);
        } catch (const RunError& error) {  // NaN, of which no scale follows: what this table is for
            overview.problem = error.what();
            overview.badness = most_badness;
        } catch (const InputError& error) {
            if (request_.run_dir.empty()) throw;
            overview.problem = error.what();  // the run is not there yet
            overview.badness = -most_badness;
        }
        if (!request_.run_dir.empty()) look_at_inputs(module, overview);
        model_->checkpoint().release(model_->modules().find(model_->owner_of(module.name)).tensor);
        return overview;
    }

private:
    [[nodiscard]] WeightFacts measure(const ResolvedModule& module, const at::Tensor& weight) {
        WeightRequest wanted{.model_dir = request_.model_dir, .module = module.name, .weights = {}, .checkpoint_dir = request_.checkpoint_dir,
                             .run_dir = request_.run_dir, .fused_with = {}, .channel_mean_square = {}};
        if (request_.checkpoint_dir.empty() && request_.run_dir.empty()) wanted.weights = module.scheme.weights;
        WeightFacts facts = measure_weight(WeightRows(weight, quantized_.find(wanted, weight))).facts;
        facts.module = module.name;
        return facts;
    }

    void look_at_inputs(const ResolvedModule& module, ModuleOverview& overview) {
        if (const auto input = inspect_input(request_.run_dir, module.name)) {
            overview.input = input->facts();
            if (module.scheme.input_activations) overview.input_answer = answer(*input, *module.scheme.input_activations);
        }
        if (const auto found = outputs_.find(module.name); found != outputs_.end()) overview.output = found->second;
    }

    static std::optional<InputAnswer> answer(const InputInspection& input, const QuantizationArgs& args) {
        try {
            return input.answer(args);
        } catch (const InputError&) {  // beyond what a sketch tells
            return {};
        }
    }

    const OverviewRequest& request_;
    std::shared_ptr<const ModelFiles> model_;
    QuantizedWeights quantized_;
    std::map<std::string, OutputError> outputs_;
};

}  // namespace

std::vector<ModuleOverview> inspect_modules(const OverviewRequest& request, RunControl& control,
                                            const std::function<void(const ModuleOverview&, double fraction)>& on_module) {
    const c10::NoGradGuard no_grad;
    Inspector inspector(request);
    std::vector<ModuleOverview> modules;
    for (const ResolvedModule& module : request.modules) {
        control.checkpoint();
        modules.push_back(inspector.look(module));
        if (on_module) on_module(modules.back(), static_cast<double>(modules.size()) / static_cast<double>(request.modules.size()));
    }
    judge_modules(modules);
    return modules;
}

nlohmann::json to_json(const ModuleOverview& module) {
    using nlohmann::json;
    const auto finite = [](double value) { return std::isfinite(value) ? json(value) : json(); };
    const WeightFacts& weight = module.weight;
    json object{{"module", weight.module}, {"badness_db", finite(module.badness)}, {"reason", module.reason}};
    if (!module.problem.empty()) return object;
    object["weight"] = {{"scheme", weight.scheme},
                        {"shape", {weight.rows, weight.columns}},
                        {"group", {weight.group_rows, weight.group_columns}},
                        {"sqnr_db", finite(weight.sqnr_db)},
                        {"worst_group_sqnr_db", finite(weight.worst_group_sqnr_db)},
                        {"max_abs_error", weight.max_abs_error},
                        {"max_error_at", {weight.max_error_row, weight.max_error_column}},
                        {"range_use", weight.range_use},
                        {"worst_range_use", weight.worst_range_use},
                        {"clipped_share", weight.clipped_share},
                        {"outlier_ratio", weight.outlier_ratio},
                        {"constant_rows", weight.num_constant_rows},
                        {"not_finite", weight.num_not_finite},
                        {"median_scale", weight.median_scale},
                        {"largest_scale", weight.largest_scale}};
    if (module.input) {
        object["input"] = {{"tokens", module.input->num_tokens}, {"min", finite(module.input->min)}, {"max", finite(module.input->max)},
                           {"outlier_ratio", finite(module.input->outlier_ratio)}};
        if (module.input_answer) object["input"]["sqnr_db"] = finite(module.input_answer->sqnr_db);
    }
    if (module.output)
        object["output"] = {{"sqnr_db", finite(module.output->output_sqnr_db)}, {"local_sqnr_db", finite(module.output->local_sqnr_db)},
                            {"inherited_sqnr_db", finite(module.output->inherited_sqnr_db)}};
    return object;
}

}  // namespace calibench
