#include <memory>

#include "app/cli/command.h"
#include "core/evaluation/forward.h"

namespace calibench::cli {

void add_forward(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<ForwardOptions>();
    CLI::App* command = app.add_subcommand("forward", "Run a model once and write its logits and hidden states");
    command->add_option("--model", options->model_dir, "Hugging Face model directory, plain or compressed")->required();
    command->add_option("--inputs", options->inputs, "Safetensors with input_ids [batch, seq] and, if padded, attention_mask")->required();
    command->add_option("--output", options->output, "Safetensors to write: logits, hidden_<i>, in float32")->required();
    command->callback([options, &chosen] {
        chosen = [options] {
            forward_file(*options);
            return exit_done;
        };
    });
}

}  // namespace calibench::cli
