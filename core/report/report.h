#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/line_diff.h"

namespace calibench {

// A report as what it says, told apart from the page it is put on: the command line and the window write it as HTML, the window prints
// it too. Texts are plain; whoever writes them escapes.

struct Table {
    struct Column {
        std::string name;        ///< with the unit
        bool is_number = false;  ///< to the right, its digits below each other
    };
    std::vector<Column> columns;
    std::vector<std::vector<std::string>> rows;
};

/// A table that is asked for: folded on a screen, left out in print.
struct FoldedTable {
    std::string title;
    Table table;
};

struct Picture {
    std::string svg;      ///< of to_svg()
    std::string caption;  ///< what to see in it
};

struct Paragraph {
    std::string text;
    bool is_warning = false;
};

/// "Time: 1:23:45", one below the other.
struct KeyFigures {
    std::vector<std::pair<std::string, std::string>> rows;
};

/// Text that is to be copied as it is.
struct Listing {
    std::string text;
};

struct Changes {
    std::vector<DiffLine> lines;
};

using ReportBlock = std::variant<Paragraph, KeyFigures, Table, FoldedTable, Picture, Listing, Changes>;

struct ReportSection {
    std::string title;
    int level = 1;  ///< 2: a part of the one before
    std::vector<ReportBlock> blocks;
};

struct Report {
    std::string title, subtitle;
    std::vector<ReportSection> sections;
};

/// One page that needs nothing else: no script, no network; light or dark as its reader's system is, and ready to be printed.
[[nodiscard]] std::string to_html(const Report& report);

/// Writes a file as a whole or not at all. Throws InputError when `file` is a directory or its folder is not there, RunError when the disk does
/// not play along.
void write_report_file(const std::filesystem::path& file, const std::string& bytes);

}  // namespace calibench
