#include <iomanip>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/preset_option.h"
#include "core/base/text.h"
#include "core/calibration/preflight.h"

namespace calibench::cli {
namespace {

void print(const PreflightReport& report) {
    for (const Diagnostic& diagnostic : report.diagnostics)
        (diagnostic.severity == Diagnostic::Severity::Error ? std::cerr : std::cout) << to_string(diagnostic) << "\n";
    if (report.compressed_bytes > 0)
        std::cout << "modules  " << report.num_quantized << " quantized, " << std::setprecision(3) << report.bits_per_quantized_weight << " bits per weight\n"
                  << "size     " << format_bytes(double(report.source_bytes)) << " -> " << format_bytes(double(report.compressed_bytes)) << "\n"
                  << "memory   about " << format_bytes(double(report.peak_memory_bytes)) << "\n"
                  << "time     about " << format_duration(report.run_seconds) << " on this machine\n";
}

}  // namespace

void add_check(CLI::App& app, Command& chosen) {
    struct Arguments {
        std::string model, recipe;
        PresetOption preset;
        RunConfig config;
        ServingOptions serving;
        bool json = false;
    };
    auto arguments = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("check", "Tell before any work what would go wrong, in the run and in vLLM, and what to expect");
    command->add_option("--model", arguments->model, "Hugging Face model directory")->required();
    command->add_option("--recipe", arguments->recipe, "llm-compressor recipe (YAML)")->required();
    command->add_option("--tensor-parallel", arguments->serving.tensor_parallel, "GPUs that vLLM will spread each layer over")->capture_default_str();
    const CLI::Option* num_samples =
        command->add_option("--num-samples", arguments->config.num_samples, "Calibration samples of the planned run")->capture_default_str();
    const CLI::Option* seq_len = command->add_option("--seq-len", arguments->config.seq_len, "Tokens of each")->capture_default_str();
    arguments->preset.add_to(*command, num_samples, seq_len);
    command->add_option("--batch-size", arguments->config.batch_size, "Samples per iteration, instead of the recipe's");
    command->add_option("--iters", arguments->config.iters, "AutoRound iterations, instead of the recipe's");
    command->add_option("--effort", arguments->config.effort, "exact or quick, instead of the recipe's")->check(CLI::IsMember({"exact", "quick"}));
    command->add_option("--max-memory", arguments->config.max_memory, "Memory for cached activations, as 2GiB; those beyond it are kept in files")
        ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
    command->add_option("--threads", arguments->config.threads, "CPU threads (0: all cores)")->capture_default_str();
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([arguments, &chosen] {
        chosen = [arguments] {
            arguments->config.model_dir = arguments->model;
            arguments->config.recipe_yaml = read_recipe_file(arguments->recipe);
            arguments->preset.apply(arguments->config);
            const PreflightReport report = check_before_run(arguments->config, arguments->serving);
            if (arguments->json) std::cout << to_json(report).dump(2) << "\n";
            else print(report);
            return report.ok() ? exit_done : exit_bad_input;
        };
    });
}

}  // namespace calibench::cli
