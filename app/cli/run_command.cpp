#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/interrupts.h"
#include "app/cli/preset_option.h"
#include "app/cli/progress_display.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run.h"
#include "core/calibration/run_directory.h"
#include "core/models/model_summary.h"
#include "core/recipe/recipe.h"

namespace calibench::cli {
namespace {

struct RunArguments {
    RunConfig config;
    std::string recipe;
    PresetOption preset;
    std::string events;  ///< a file, or "-" for stdout
    bool quiet = false;
    std::filesystem::path resume;  ///< directory of a run to go on with; empty: a new one

    /// What that run was begun with; the command line says where to write and to compute.
    void take_up_stored_run() {
        const RunConfig asked = config;
        config = read_run(resume).config;
        config.resume = true;
        config.device = asked.device;
        config.threads = asked.threads;
        if (asked.max_memory > 0) config.max_memory = asked.max_memory;
        if (!asked.output_dir.empty()) config.output_dir = asked.output_dir;
    }
};

/// How far the run came; shows events to a person and writes them for a program.
class CommandLineListener : public RunListener {
public:
    explicit CommandLineListener(const RunArguments& arguments) {
        if (!arguments.quiet) display_ = std::make_unique<ProgressDisplay>();
        if (arguments.events.empty()) return;
        if (arguments.events == "-") {
            events_ = &std::cout;
            return;
        }
        file_.open(arguments.events, std::ios::binary);
        if (!file_) throw InputError(concat(arguments.events, " cannot be written. Choose another file for --events."));
        events_ = &file_;
    }

    void end_display() { display_.reset(); }
    [[nodiscard]] bool started() const { return num_blocks_ > 0; }
    [[nodiscard]] int64_t num_blocks() const { return num_blocks_; }
    [[nodiscard]] int64_t blocks_done() const { return blocks_done_; }

    void on_event(const RunEvent& event) override {
        if (const auto* start = std::get_if<RunStarted>(&event)) {
            num_blocks_ = start->num_blocks;
            blocks_done_ = start->first_block;
        }
        if (std::holds_alternative<BlockFinished>(event)) ++blocks_done_;
        if (display_) display_->show(event);
        if (events_) *events_ << to_json(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    }

    [[nodiscard]] bool wants_details() const override { return events_ != nullptr; }  // the display shows none

private:
    std::unique_ptr<ProgressDisplay> display_;
    std::ofstream file_;
    std::ostream* events_ = nullptr;
    int64_t num_blocks_ = 0;  ///< 0 until the run has started
    int64_t blocks_done_ = 0;
};

/// Says nothing, and that it did not, for a run that cannot go on.
bool tell_how_to_go_on(const RunConfig& config, const CommandLineListener& listener) {
    if (config.run_dir.empty() || !listener.started()) return false;
    std::cerr << "Stopped after " << listener.blocks_done() << " of " << listener.num_blocks()
              << " blocks. Go on with: calibench-cli run --resume " << shell_word(config.run_dir.string()) << "\n";
    return true;
}

std::string loss_line(const RunSummary& summary) {
    char text[96];
    const double gain = summary.mean_initial_loss_mse > 0 ? 100 * (1 - summary.mean_best_loss_mse / summary.mean_initial_loss_mse) : 0;
    if (gain > 0) std::snprintf(text, sizeof text, "%.3e -> %.3e (%.1f %% less)", summary.mean_initial_loss_mse, summary.mean_best_loss_mse, gain);
    else std::snprintf(text, sizeof text, "%.3e", summary.mean_best_loss_mse);
    return text;
}

void print_summary(const RunSummary& summary, const ModelSummary& model) {
    std::cout << "modules  " << summary.num_quantized_modules << " quantized in " << model.num_blocks << " blocks\n"
              << (summary.mean_initial_loss_mse > 0 ? concat("loss     ", loss_line(summary), "\n") : std::string());
    if (!summary.output_dir.empty())
        std::cout << "size     " << format_bytes(static_cast<double>(model.num_bytes)) << " -> " << format_bytes(static_cast<double>(summary.output_bytes)) << "\n";
    std::cout << "time     " << format_duration(summary.seconds) << "\n";
    if (!summary.output_dir.empty()) std::cout << "output   " << summary.output_dir.string() << "\n";
    if (!summary.run_dir.empty()) std::cout << "run      " << summary.run_dir.string() << "\n";
}

int run(RunArguments& arguments) {
    if (!arguments.resume.empty()) arguments.take_up_stored_run();
    else arguments.config.recipe_yaml = read_recipe_file(arguments.recipe);
    arguments.preset.apply(arguments.config);
    RunControl control;
    control.expect_no_orders();
    const Interrupts interrupts(control);
    RunSummary summary;
    {
        CommandLineListener listener(arguments);
        try {
            summary = run_calibration(arguments.config, listener, control);
        } catch (const Cancelled&) {
            listener.end_display();
            if (!tell_how_to_go_on(arguments.config, listener)) throw;
            return exit_cancelled;
        } catch (const RunError& error) {
            listener.end_display();
            std::cerr << error.what() << "\n";
            tell_how_to_go_on(arguments.config, listener);
            return exit_failed;
        }
    }
    if (!arguments.quiet && arguments.events != "-") print_summary(summary, inspect_model(arguments.config.model_dir));
    return exit_done;
}

}  // namespace

void add_run(CLI::App& app, Command& chosen) {
    auto arguments = std::make_shared<RunArguments>();
    RunConfig& config = arguments->config;
    CLI::App* command = app.add_subcommand("run", "Calibrate a model by a recipe and export it");
    // What a run is begun with; one that goes on has it in its directory.
    CLI::Option* model = command->add_option("--model", config.model_dir, "Hugging Face model directory");
    CLI::Option* dataset = command->add_option("--dataset", config.dataset, "Calibration text: .txt, .jsonl with text or input_ids, .safetensors with input_ids; may be left out where weights are only rounded to nearest");
    CLI::Option* recipe = command->add_option("--recipe", arguments->recipe, "llm-compressor recipe (YAML)");
    CLI::Option* output = command->add_option("--output", config.output_dir, "Directory to write; must not exist, or be empty");
    std::vector<CLI::Option*> begun_with = {model, dataset, recipe};
    begun_with.push_back(command->add_option("--run-dir", config.run_dir, "Keep the recipe, the events and the result of the run here, and what it needs to go on when it was stopped"));
    CLI::Option* num_samples = command->add_option("--num-samples", config.num_samples, "Samples to calibrate on")->capture_default_str();
    CLI::Option* seq_len = command->add_option("--seq-len", config.seq_len, "Tokens in a sample")->capture_default_str();
    arguments->preset.add_to(*command, num_samples, seq_len);
    begun_with.insert(begun_with.end(), {num_samples, seq_len, arguments->preset.option()});
    begun_with.push_back(command->add_option("--batch-size", config.batch_size, "Samples in a batch, instead of the recipe's"));
    begun_with.push_back(command->add_option("--iters", config.iters, "AutoRound iterations, instead of the recipe's; 0: no tuning"));
    begun_with.push_back(command->add_option("--effort", config.effort, "exact: AutoRound as published; quick: integers start with a rounding that takes the inputs into account, those of 4 bits and more end there, all others make half of the steps. Instead of the recipe's")
                             ->check(CLI::IsMember({"exact", "quick"})));
    begun_with.push_back(command->add_option("--seed", config.seed, "Seed of everything random")->capture_default_str());
    begun_with.push_back(command->add_option("--dtype", config.dtype, "What to compute in: auto, float32 or bfloat16")->capture_default_str());
    begun_with.push_back(command->add_option("--reuse", config.reuse, "Take over the blocks before the first change from the run in this directory"));
    CLI::Option* resume = command->add_option("--resume", arguments->resume, "Go on behind the last finished block of the run in this directory");
    for (CLI::Option* option : begun_with) resume->excludes(option);
    command->add_option("--device", config.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
    command->add_option("--threads", config.threads, "Threads; 0: all cores")->capture_default_str();
    command->add_option("--max-memory", config.max_memory, "Memory for cached activations, as 2GiB; those beyond it are kept in files of the run directory, or beside the output")
        ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
    command->add_option("--events", arguments->events, "Write every event as a JSON line to this file, or to stdout (-)");
    command->add_flag("--quiet", arguments->quiet, "Print nothing but errors");
    command->callback([=, &chosen] {
        if (resume->count() == 0)
            for (const CLI::Option* option : {model, recipe, output})
                if (option->count() == 0) throw CLI::RequiredError(option->get_name());
        chosen = [arguments] { return run(*arguments); };
    });
}

}  // namespace calibench::cli
