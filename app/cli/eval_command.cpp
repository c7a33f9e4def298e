#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/interrupts.h"
#include "app/cli/progress_display.h"
#include "core/evaluation/perplexity.h"
#include "core/report/run_notes.h"

namespace calibench::cli {
namespace {

struct EvalArguments {
    std::filesystem::path run_dir;  ///< empty: options.model_dir is measured
    PerplexityOptions options;
    bool json = false;
};

int evaluate(const EvalArguments& arguments) {
    RunControl control;
    const Interrupts interrupts(control);
    Perplexity result;
    {
        ProgressDisplay display;
        result = evaluate_perplexity(arguments.options, control, [&](double fraction) { display.show_fraction("perplexity", fraction); });
    }
    if (arguments.json) {
        const nlohmann::json json{{"model", arguments.options.model_dir.string()}, {"windows", result.windows}, {"seq_len", result.seq_len},
                                  {"nll", result.nll}, {"perplexity", result.perplexity}};
        std::cout << json.dump() << "\n";
    } else {
        std::printf("perplexity %.4f (nll %.5f) over %lld windows of %lld tokens\n", result.perplexity, result.nll,
                    static_cast<long long>(result.windows), static_cast<long long>(result.seq_len));
    }
    return exit_done;
}

/// The export of a run and the model it was made of; both are noted beside the run.
int evaluate_run(const EvalArguments& arguments) {
    RunControl control;
    const Interrupts interrupts(control);
    RunNotes notes = read_notes(arguments.run_dir);
    {
        ProgressDisplay display;
        notes.perplexity = measure_perplexity(facts_of_run(arguments.run_dir), arguments.options, notes.perplexity, control,
                                              [&](double fraction) { display.show_fraction("perplexity", fraction); });
    }
    write_notes(arguments.run_dir, notes);
    const PerplexityNote& found = *notes.perplexity;
    if (arguments.json)
        std::cout << nlohmann::json{{"run_dir", arguments.run_dir.string()}, {"seq_len", found.seq_len}, {"perplexity", found.quantized}, {"perplexity_of_model", found.original}}.dump() << "\n";
    else
        std::printf("perplexity %.4f, of the model before %.4f\n", found.quantized, found.original);
    return exit_done;
}

}  // namespace

void add_eval(CLI::App& app, Command& chosen) {
    auto arguments = std::make_shared<EvalArguments>();
    PerplexityOptions& options = arguments->options;
    CLI::App* command = app.add_subcommand("eval", "Measure the perplexity of a plain or a compressed model on a text");
    CLI::Option* model = command->add_option("--model", options.model_dir, "Hugging Face model directory, plain or compressed");
    CLI::Option* run = command->add_option("--run-dir", arguments->run_dir, "Measure the export of the run in this directory and the model it was made of, and note both there");
    run->excludes(model);
    command->add_option("--text", options.text, "Text file")->required();
    command->add_option("--seq-len", options.seq_len, "Tokens in a window")->capture_default_str();
    command->add_option("--max-tokens", options.max_tokens, "Use the text's first N tokens; 0: all")->capture_default_str();
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([=, &chosen] {
        if (model->count() + run->count() == 0) throw CLI::RequiredError(model->get_name());
        chosen = [arguments] { return arguments->run_dir.empty() ? evaluate(*arguments) : evaluate_run(*arguments); };
    });
}

}  // namespace calibench::cli
