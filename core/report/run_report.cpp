#include "core/report/run_report.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/report/run_comparison.h"
#include "core/report/run_summary.h"
#include "core/report/run_tables.h"

namespace calibench {
namespace {

KeyFigures key_figures(const Lines& lines) {
    KeyFigures figures;
    std::copy_if(lines.begin(), lines.end(), std::back_inserter(figures.rows), [](const auto& line) { return !line.second.empty(); });
    return figures;
}

/// The sections of one run. `level` is that of its own headings.
class RunSections {
public:
    RunSections(const ReportedRun& run, int level, std::vector<ReportSection>& sections) : run_(run), facts_(run.facts), level_(level), sections_(sections) {}

    void write() {
        results();
        losses();
        modules();
        ranges();
        tokens();
        warnings();
        recipe();
    }

private:
    std::vector<ReportBlock>& begin(const std::string& title) {
        sections_.push_back({.title = title, .level = level_, .blocks = {}});
        return sections_.back().blocks;
    }
    static void add_picture(std::vector<ReportBlock>& blocks, const std::optional<Figure>& figure, const std::string& caption) {
        if (figure) blocks.push_back(Picture{to_svg(*figure), caption});
    }

    void results() {
        auto& blocks = begin("Results and settings");
        if (!run_.notes.annotation.empty()) blocks.push_back(Paragraph{run_.notes.annotation});
        if (!run_.notes_problem.empty()) blocks.push_back(Paragraph{run_.notes_problem, true});
        blocks.push_back(key_figures(results_of(run_)));
        blocks.push_back(key_figures(settings_of(facts_)));
    }

    void losses() {
        const auto pairs = block_losses_figure(facts_), curves = loss_curves_figure(facts_);
        if (!pairs && !curves) return;
        auto& blocks = begin("Losses");
        add_picture(blocks, pairs, facts_.started.iters == 0 ? "The error of each block's output. Nothing was tuned."
                                                             : "The error of each block's output, rounded to nearest and as it was kept. The longer the line, the more tuning gained.");
        blocks.push_back(FoldedTable{"Losses by block", blocks_table(facts_)});
        if (!curves) return;
        add_picture(blocks, curves, "The attempt that was kept of each block. Blocks that have no name at the right have one in the table.");
        blocks.push_back(FoldedTable{"Losses by iteration", losses_table(facts_)});
    }

    void modules() {
        if (facts_.modules.empty()) return;
        auto& blocks = begin("Modules");
        if (WorstModules worst = worst_modules(facts_); !worst.table.rows.empty()) {
            blocks.push_back(Paragraph{worst.stand_out ? "These modules are worse than their peers, the same projection in other blocks under the same scheme. The worst stands first."
                                                       : "No module is much worse than its peers. These have the lowest SQNR."});
            blocks.push_back(std::move(worst.table));
        }
        add_picture(blocks, module_map_figure(facts_, &ModuleOutcome::weight_sqnr_db, "SQNR of weights, dB"),
                    "Signal against the noise that quantization puts into each weight, in dB: 6 dB more halve the error. Of several experts, the lowest.");
        add_picture(blocks, module_map_figure(facts_, &ModuleOutcome::output_sqnr_db, "SQNR of outputs, dB"),
                    "The same for each module's output on the first samples, with all that the modules before it did to its inputs.");
        blocks.push_back(FoldedTable{"All modules", modules_table(facts_)});
    }

    void ranges() {
        const auto figure = ranges_figure(facts_);
        if (!figure) return;
        auto& blocks = begin("Ranges");
        add_picture(blocks, figure, "From the smallest to the largest value. Where ranges span more than three decades, scales are linear near zero and logarithmic beyond. "
                                    "The numbers stand in the table of all modules.");
    }

    void tokens() {
        const auto figure = expert_tokens_figure(facts_);
        if (!figure) return;
        auto& blocks = begin("Experts");
        add_picture(blocks, figure, "An expert that saw few tokens was calibrated on little.");
        blocks.push_back(FoldedTable{"Tokens by expert", expert_tokens_table(facts_)});
    }

    void warnings() {
        if (facts_.warnings.empty()) return;
        auto& blocks = begin("Warnings");
        Table table{.columns = {{"Where"}, {"What"}}, .rows = {}};
        for (const Warning& warning : facts_.warnings) table.rows.push_back({warning.module.empty() ? "the run" : warning.module, warning.message});
        blocks.push_back(std::move(table));
    }

    void recipe() {
        auto& blocks = begin("Recipe, and how to do it again");
        blocks.push_back(Paragraph{"The recipe as the run last followed it, in llm-compressor's form:"});
        blocks.push_back(Listing{facts_.config.recipe_yaml});
        blocks.push_back(Paragraph{"The same inputs, seed, threads and device give the same bytes:"});
        blocks.push_back(Listing{command_line_of(facts_)});
    }

    const ReportedRun& run_;
    const RunFacts& facts_;
    const int level_;
    std::vector<ReportSection>& sections_;
};

}  // namespace

ReportedRun read_reported_run(const std::filesystem::path& run_dir) {
    ReportedRun run{.facts = facts_of_run(std::filesystem::absolute(run_dir).lexically_normal()), .notes = {}, .notes_problem = {}};
    try {
        run.notes = read_notes(run_dir);
    } catch (const InputError& error) {
        run.notes_problem = error.what();
    }
    return run;
}

Report report_on(const std::vector<ReportedRun>& runs) {
    Report report;
    if (runs.size() == 1) {
        report.title = title_of(runs.front());
        report.subtitle = concat("Calibench run of ", runs.front().facts.started.model, ", in ", runs.front().facts.run_dir.string());
        RunSections(runs.front(), 1, report.sections).write();
        return report;
    }
    const std::vector<std::string> names = short_names(runs.size());
    report.title = concat("Comparison of ", runs.size(), " runs");
    report.subtitle = "Differences are held against run A.";
    write_comparison(runs, report.sections);
    for (size_t i = 0; i < runs.size(); ++i) {
        report.sections.push_back({.title = concat(names[i], ": ", title_of(runs[i])), .level = 1, .blocks = {Paragraph{runs[i].facts.run_dir.string()}}});
        RunSections(runs[i], 2, report.sections).write();
    }
    return report;
}

Report report_on_run_dirs(const std::vector<std::filesystem::path>& run_dirs) {
    std::vector<ReportedRun> runs;
    for (const auto& run_dir : run_dirs) runs.push_back(read_reported_run(run_dir));
    return report_on(runs);
}

}  // namespace calibench
