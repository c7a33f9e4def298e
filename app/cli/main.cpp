// calibench-cli: the workbench without its window. Interface and exit codes: packaging/man/calibench-cli.1.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "app/cli/command.h"
#include "core/base/error.h"

using namespace calibench;
using namespace calibench::cli;

static int carry_out(const Command& command) {
    try {
        return command();
    } catch (const Cancelled&) {
        std::cerr << "Cancelled.\n";
        return exit_cancelled;
    } catch (const InputError& error) {
        std::cerr << error.what() << "\n";
        return exit_bad_input;
    } catch (const Error& error) {
        std::cerr << error.what() << "\n";
        return exit_failed;
    } catch (const std::bad_alloc&) {
        std::cerr << "Memory ran out.\n";
        return exit_failed;
    } catch (const std::exception& error) {
        const std::string text = error.what();
        std::cerr << "calibench-cli met a defect, please report it: " << text.substr(0, text.find('\n')) << "\n";
        return exit_failed;
    }
}

/// Without destructors of globals: LibTorch's registries alone take a tenth of a small run to be taken apart.
[[noreturn]] static void end_process(int code) {
    std::cout.flush();
    std::cerr.flush();
    std::fflush(nullptr);
    std::_Exit(code);
}

int main(int argc, char** argv) {
    CLI::App app("Calibrates and quantizes large language models: llm-compressor recipes in, compressed-tensors checkpoints out.", "calibench-cli");
    app.set_version_flag("--version", "calibench-cli " CALIBENCH_VERSION);
    app.require_subcommand(1);
    Command chosen;
    add_inspect(app, chosen);
    add_check(app, chosen);
    add_run(app, chosen);
    add_eval(app, chosen);
    add_forward(app, chosen);
    add_tokenize(app, chosen);
    add_error(app, chosen);
    add_recipe(app, chosen);
    add_report(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help_or_version) {
        return app.exit(help_or_version);
    } catch (const CLI::ParseError& error) {
        std::cerr << error.what() << " (calibench-cli --help lists what there is.)\n";
        return exit_bad_input;
    }
    end_process(carry_out(chosen));
}
