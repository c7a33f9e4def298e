#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "core/data/text_file.h"
#include "core/data/tokenizer.h"

namespace calibench::cli {
namespace {

struct TokenizeArguments {
    std::string model;
    std::string text;
    bool json = false;
};

int tokenize(const TokenizeArguments& arguments) {
    const std::string text = read_text(arguments.text);
    const Tokenizer tokenizer = Tokenizer::open(arguments.model);
    const auto ids = tokenizer.encode(text);
    if (arguments.json) {
        nlohmann::json tokens = nlohmann::json::array();
        for (const int64_t id : ids) tokens.push_back(tokenizer.token(id).value_or(""));
        std::cout << nlohmann::json{{"ids", ids}, {"tokens", tokens}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else {
        for (const int64_t id : ids) std::cout << id << '\t' << tokenizer.token(id).value_or("") << '\n';
    }
    return exit_done;
}

}  // namespace

void add_tokenize(CLI::App& app, Command& chosen) {
    auto arguments = std::make_shared<TokenizeArguments>();
    CLI::App* command = app.add_subcommand("tokenize", "Print a text's token ids and tokens");
    command->add_option("--model", arguments->model, "Directory with tokenizer.json")->required();
    command->add_option("--text", arguments->text, "Text file")->required();
    command->add_flag("--json", arguments->json, "Print JSON: ids and tokens");
    command->callback([arguments, &chosen] { chosen = [arguments] { return tokenize(*arguments); }; });
}

}  // namespace calibench::cli
