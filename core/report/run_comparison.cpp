#include "core/report/run_comparison.h"

#include <algorithm>
#include <functional>

#include "core/base/text.h"
#include "core/report/run_summary.h"
#include "core/report/run_tables.h"

namespace calibench {
namespace {

constexpr size_t most_changes = 12;  // shown unfolded

/// A row for each name and a column for each run; with `only_differing`, of the rows only those in which they differ.
Table side_by_side(const std::vector<std::string>& names, const std::vector<Lines>& of_runs, bool only_differing) {
    Table table{.columns = {{""}}, .rows = {}};
    for (const std::string& name : names) table.columns.push_back({name});
    for (size_t line = 0; line < of_runs.front().size(); ++line) {
        std::vector<std::string> row{of_runs.front()[line].first};
        for (const Lines& lines : of_runs) row.push_back(lines[line].second);
        const bool differs = std::any_of(row.begin() + 2, row.end(), [&](const std::string& value) { return value != row[1]; });
        const bool known = std::any_of(row.begin() + 1, row.end(), [](const std::string& value) { return !value.empty(); });
        if (known && (differs || !only_differing)) table.rows.push_back(std::move(row));
    }
    return table;
}

void add_picture(ReportSection& section, const std::optional<Figure>& figure, const std::string& caption) {
    if (figure) section.blocks.push_back(Picture{to_svg(*figure), caption});
}

ReportSection overview_section(const std::vector<ReportedRun>& runs, const std::vector<std::string>& names) {
    ReportSection section{.title = "The runs side by side", .level = 1, .blocks = {}};
    std::vector<Lines> results, settings;
    for (const ReportedRun& run : runs) {
        results.push_back(results_of(run));
        results.back().insert(results.back().begin(), {"Run", title_of(run)});
        settings.push_back(settings_of(run.facts));
    }
    section.blocks.push_back(side_by_side(names, results, false));
    Table differing = side_by_side(names, settings, true);
    section.blocks.push_back(Paragraph{differing.rows.empty() ? "Their settings are the same, as far as they do not stand in the recipe." : "Settings that differ:"});
    if (!differing.rows.empty()) section.blocks.push_back(std::move(differing));
    return section;
}

ReportSection recipe_section(const ReportedRun& base, const ReportedRun& other, const std::string& name) {
    ReportSection section{.title = concat("Recipe of ", name, " against A"), .level = 2, .blocks = {}};
    Changes changes{unified_diff(base.facts.config.recipe_yaml, other.facts.config.recipe_yaml)};
    if (changes.lines.empty()) section.blocks.push_back(Paragraph{"The recipes are the same."});
    else section.blocks.push_back(std::move(changes));
    return section;
}

ReportSection losses_section(const std::vector<NamedRun>& runs) {
    ReportSection section{.title = "Best loss of each block", .level = 2, .blocks = {}};
    const auto figure = best_losses_figure(runs);
    if (!figure) return section;
    add_picture(section, figure, "Losses are held against each run's own float model; they can be compared where model and text are the same.");
    Table table{.columns = {{"Block", true}}, .rows = {}};
    std::map<int64_t, std::vector<std::string>> rows;
    for (size_t i = 0; i < runs.size(); ++i) {
        table.columns.push_back({runs[i].name, true});
        const Table own = blocks_table(*runs[i].facts);
        for (const auto& row : own.rows) {
            auto& cells = rows[std::stoll(row[0])];
            cells.resize(runs.size());
            cells[i] = row[3];
        }
    }
    for (auto& [block, cells] : rows) {
        cells.insert(cells.begin(), concat(block));
        table.rows.push_back(std::move(cells));
    }
    section.blocks.push_back(FoldedTable{"Best losses by block", std::move(table)});
    return section;
}

ReportSection modules_section(const NamedRun& base, const NamedRun& other) {
    ReportSection section{.title = concat("Modules of ", other.name, " against A"), .level = 2, .blocks = {}};
    Table changes = module_changes_table(base, other);
    if (changes.rows.empty()) {
        section.blocks.push_back(Paragraph{"The runs have no quantized module in common."});
        return section;
    }
    const std::string what = "Above zero: less noise than in A. Of several experts, the one that lost most.";
    add_picture(section, module_changes_figure(*base.facts, *other.facts, &ModuleOutcome::output_sqnr_db, "Change of the output's SQNR, dB"), what);
    add_picture(section, module_changes_figure(*base.facts, *other.facts, &ModuleOutcome::weight_sqnr_db, "Change of the weight's SQNR, dB"), what);
    Table first = changes;
    first.rows.resize(std::min(most_changes, first.rows.size()));
    const bool all = first.rows.size() == changes.rows.size();
    section.blocks.push_back(Paragraph{all ? "All modules, the one that lost most first:" : "The modules that lost most, or gained least:"});
    section.blocks.push_back(std::move(first));
    if (!all) section.blocks.push_back(FoldedTable{"All modules", std::move(changes)});
    return section;
}

}  // namespace

std::vector<std::string> short_names(size_t count) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back(i < 26 ? std::string(1, static_cast<char>('A' + i)) : concat(i + 1));
    return names;
}

void write_comparison(const std::vector<ReportedRun>& runs, std::vector<ReportSection>& sections) {
    const std::vector<std::string> names = short_names(runs.size());
    std::vector<NamedRun> named;
    for (size_t i = 0; i < runs.size(); ++i) named.push_back({names[i], &runs[i].facts});
    sections.push_back(overview_section(runs, names));
    for (size_t i = 1; i < runs.size(); ++i) sections.push_back(recipe_section(runs.front(), runs[i], names[i]));
    if (ReportSection losses = losses_section(named); !losses.blocks.empty()) sections.push_back(std::move(losses));
    for (size_t i = 1; i < runs.size(); ++i) sections.push_back(modules_section(named.front(), named[i]));
}

}  // namespace calibench
