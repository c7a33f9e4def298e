#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/interrupts.h"
#include "app/cli/progress_display.h"
#include "core/evaluation/perplexity.h"

namespace calibench::cli {
namespace {

struct EvalArguments {
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

}  // namespace

void add_eval(CLI::App& app, Command& chosen) {
    auto arguments = std::make_shared<EvalArguments>();
    PerplexityOptions& options = arguments->options;
    CLI::App* command = app.add_subcommand("eval", "Measure the perplexity of a plain or a compressed model on a text");
    command->add_option("--model", options.model_dir, "Hugging Face model directory, plain or compressed")->required();
    command->add_option("--text", options.text, "Text file")->required();
    command->add_option("--seq-len", options.seq_len, "Tokens in a window")->capture_default_str();
    command->add_option("--max-tokens", options.max_tokens, "Use the text's first N tokens; 0: all")->capture_default_str();
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([arguments, &chosen] { chosen = [arguments] { return evaluate(*arguments); }; });
}

}  // namespace calibench::cli
