#pragma once

#include <cmath>
#include <string>

#include "core/report/run_report.h"

namespace calibench::testing {

/// Two blocks of q_proj and down_proj, tuned for three iterations, with one module that is far worse than its peers.
inline ReportedRun reported_run(const std::string& name = "tiny") {
    ReportedRun run;
    RunFacts& facts = run.facts;
    facts.run_dir = "/runs/" + name;
    facts.config.model_dir = "/models/" + name;
    facts.config.dataset = "/texts/plays.txt";
    facts.config.recipe_yaml = "quant_stage:\n  quant_modifiers:\n    AutoRoundModifier: {iters: 3}\n";
    facts.config.num_samples = 16;
    facts.config.seq_len = 64;
    facts.ending = StoredRun::Ending::Finished;
    facts.started = {.model = name, .architecture = "LlamaForCausalLM", .num_blocks = 4, .num_quantized_modules = 8, .num_samples = 16, .seq_len = 64, .iters = 3,
                     .device = "cpu", .dtype = "float32", .threads = 2, .batch_size = 4};
    facts.blocks_done = 4;
    facts.seconds = 61.5;
    facts.output_bytes = 123456;
    facts.mean_initial_loss_mse = 2e-4;
    facts.mean_best_loss_mse = 1e-4;
    facts.schemes = "W4 g64 sym";
    for (int block = 0; block < 4; ++block) {
        const double first = 1.25e-4 * (block + 1);
        facts.blocks[block] = {.name = "model.layers." + std::to_string(block), .initial_loss_mse = first, .best_loss_mse = first / 2, .best_iteration = 2, .seconds = 1.5,
                               .finished = true, .loss_mse = {first, first * 0.75, first / 2}};
        for (const char* projection : {"self_attn.q_proj", "mlp.down_proj"}) {
            ModuleOutcome module{.block = block, .scheme = "W4 g64 sym", .weight_sqnr_db = 20.5 + block, .output_sqnr_db = 18.25, .local_sqnr_db = 21.75, .inherited_sqnr_db = 24.125};
            module.weight_range = TensorRange{-0.515625 - block, 0.765625};
            module.input_range = TensorRange{-7.03125, 9.015625};
            module.tokens = 1024;
            if (block == 2 && projection[0] == 'm') module.weight_sqnr_db = 1.375;
            facts.modules.emplace_back("model.layers." + std::to_string(block) + "." + projection, module);
        }
    }
    facts.warnings.push_back({.module = "model.layers.2.mlp.down_proj", .message = "its loss does not fall. Raise lr."});
    return run;
}

}  // namespace calibench::testing
