#include <algorithm>
#include <cctype>
#include <iomanip>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "core/base/text.h"
#include "core/models/model_summary.h"

namespace calibench::cli {
namespace {

/// Modules that differ only in the numbers of their names, as one line of a table.
struct ModuleKind {
    std::string pattern;  ///< "model.layers.*.mlp.up_proj"
    std::string shape, dtype, scheme;
    size_t count = 0;
    int64_t num_bytes = 0;
};

std::string without_numbers(const std::string& name) {
    std::string pattern;
    for (size_t i = 0; i < name.size();) {
        const size_t end = std::min(name.find('.', i), name.size());
        const bool number = end > i && std::all_of(name.begin() + static_cast<long>(i), name.begin() + static_cast<long>(end), [](unsigned char c) { return std::isdigit(c); });
        pattern += number ? "*" : name.substr(i, end - i);
        if (end < name.size()) pattern += '.';
        i = end + 1;
    }
    return pattern;
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text;
    for (const int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text;
}

std::vector<ModuleKind> module_kinds(const ModelSummary& model) {
    std::vector<ModuleKind> kinds;
    for (const auto& module : model.modules) {
        ModuleKind kind{without_numbers(module.name), shape_text(module.shape), module.dtype, module.scheme};
        auto same = std::find_if(kinds.begin(), kinds.end(), [&](const ModuleKind& known) {
            return known.pattern == kind.pattern && known.shape == kind.shape && known.dtype == kind.dtype && known.scheme == kind.scheme;
        });
        if (same == kinds.end()) same = kinds.insert(kinds.end(), kind);
        ++same->count;
        same->num_bytes += module.num_bytes;
    }
    return kinds;
}

void print(const ModelSummary& model) {
    std::cout << model.path.string() << "\n"
              << model.architecture << ", " << model.num_blocks << " blocks, hidden size " << model.hidden_size << ", vocabulary " << model.vocab_size;
    if (model.num_experts > 0) std::cout << ", " << model.num_experts_per_tok << " of " << model.num_experts << " experts per token";
    std::cout << "\n"
              << model.num_parameters << " parameters, " << format_bytes(static_cast<double>(model.num_bytes)) << " in " << model.dtype
              << (model.tied_embeddings ? ", tied embeddings" : "");
    if (!model.quantization_format.empty()) std::cout << ", quantized: " << model.quantization_format;
    std::cout << "\n\n";

    const auto kinds = module_kinds(model);
    size_t pattern_width = 0, shape_width = 0;
    for (const auto& kind : kinds) {
        pattern_width = std::max(pattern_width, kind.pattern.size());
        shape_width = std::max(shape_width, kind.shape.size());
    }
    for (const auto& kind : kinds)
        std::cout << std::left << std::setw(static_cast<int>(pattern_width)) << kind.pattern << std::right << std::setw(6) << kind.count << " x  " << std::left
                  << std::setw(static_cast<int>(shape_width)) << kind.shape << "  " << std::setw(5) << kind.dtype << std::right << std::setw(10)
                  << format_bytes(static_cast<double>(kind.num_bytes)) << (kind.scheme.empty() ? "" : "  " + kind.scheme) << "\n";
}

}  // namespace

void add_inspect(CLI::App& app, Command& chosen) {
    struct Arguments {
        std::string model;
        bool json = false;
    };
    auto arguments = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("inspect", "Show what a model directory holds, without loading its weights");
    command->add_option("model", arguments->model, "Hugging Face model directory, plain or compressed")->required();
    command->add_flag("--json", arguments->json, "Print JSON, every module listed");
    command->callback([arguments, &chosen] {
        chosen = [arguments] {
            const ModelSummary model = inspect_model(arguments->model);
            if (arguments->json) std::cout << to_json(model).dump(2) << "\n";
            else print(model);
            return exit_done;
        };
    });
}

}  // namespace calibench::cli
