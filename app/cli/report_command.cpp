#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "core/report/run_report.h"

namespace calibench::cli {

void add_report(CLI::App& app, Command& chosen) {
    struct Arguments {
        std::vector<std::string> run_dirs;
        std::string html;
    };
    auto arguments = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("report", "Write what is known of a run, or a comparison of several, as one page");
    command->add_option("--run-dir", arguments->run_dirs, "Directory of a run; more of them are compared with the first")->required();
    command->add_option("--html", arguments->html, "File to write: one page with all its plots that needs nothing else")->required();
    command->callback([arguments, &chosen] {
        chosen = [arguments] {
            const std::vector<std::filesystem::path> run_dirs(arguments->run_dirs.begin(), arguments->run_dirs.end());
            write_report_file(arguments->html, to_html(report_on_run_dirs(run_dirs)));
            return exit_done;
        };
    });
}

}  // namespace calibench::cli
