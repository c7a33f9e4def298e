#include <string_view>

#include "core/base/text.h"
#include "core/report/inks.h"
#include "core/report/markup.h"
#include "core/report/report.h"

namespace calibench {
namespace {

constexpr std::string_view style = R"(
:root{color-scheme:light dark;--paper:#fff;--text:#1b1f23;--muted:#56606a;--line:#d9dee3;--field:#f4f6f8;--link:#0067a3;--warning:#9a3412;--removed:#fbe4dd;--added:#dcf1e8}
body{margin:0 auto;padding:24px 28px 64px;max-width:960px;background:var(--paper);color:var(--text);font:15px/1.5 system-ui,"Noto Sans","DejaVu Sans",sans-serif}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}
h2{font-size:20px;margin:40px 0 10px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:16px;margin:28px 0 8px}
p,figure,table,dl,pre,details{margin:0 0 14px}
a{color:var(--link)}
.subtitle,figcaption{color:var(--muted)}
.warning::before{content:"⚠ "}
.warning{color:var(--warning)}
nav ul{columns:2;margin:16px 0 0;padding-left:20px}
figure svg{display:block;max-width:100%;height:auto}
figcaption{font-size:13.5px;max-width:720px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 20px}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;font-size:13.5px}
th,td{padding:3px 12px 3px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}
summary{cursor:pointer;color:var(--link);margin-bottom:6px}
pre{padding:10px 14px;background:var(--field);border:1px solid var(--line);border-radius:4px;font:12.5px/1.45 ui-monospace,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
del,ins,.same,.gap{display:block;text-decoration:none}
del{background:var(--removed)}
ins{background:var(--added)}
.gap{color:var(--muted)}
@media (prefers-color-scheme:dark){:root{--paper:#16191c;--text:#e6e9ec;--muted:#a3adb7;--line:#3a4148;--field:#1e2226;--link:#7cc0f5;--warning:#f0a27d;--removed:#4a2620;--added:#1c3d31}
)";

constexpr std::string_view print_style = R"(
@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:10.5pt}nav,details{display:none}figure,tr,pre{break-inside:avoid}h2,h3,p{break-after:avoid}.wide{overflow:visible}table{font-size:8.5pt}th,th.number{white-space:normal}td{overflow-wrap:break-word}@page{margin:16mm}}
)";

std::string anchor(size_t section) { return concat("s", section + 1); }

/// Writes what a report says as HTML that is XML as well.
class Page {
public:
    [[nodiscard]] std::string write(const Report& report) {
        out_.insert("<!DOCTYPE html>\n");
        out_.open("html", {{"lang", "en"}});
        head(report);
        out_.open("body");
        out_.element("h1", report.title);
        out_.element("p", {{"class", "subtitle"}}, report.subtitle);
        out_.break_line();
        contents(report);
        for (size_t i = 0; i < report.sections.size(); ++i) section(report.sections[i], anchor(i));
        return out_.take() + "\n";
    }

private:
    void head(const Report& report) {
        const Within head(out_, "head");
        out_.empty("meta", {{"charset", "utf-8"}});
        out_.empty("meta", {{"name", "viewport"}, {"content", "width=device-width"}});
        out_.element("title", report.title);
        const Within within(out_, "style");
        out_.insert(style);  // the dark's rules are open
        out_.insert(dark_inks());
        out_.insert("}\n");
        out_.insert(print_style);
    }

    void contents(const Report& report) {
        const Within nav(out_, "nav");
        const Within list(out_, "ul");
        for (size_t i = 0; i < report.sections.size(); ++i) {
            if (report.sections[i].level > 1) continue;
            const Within item(out_, "li");
            out_.element("a", {{"href", concat("#", anchor(i))}}, report.sections[i].title);
        }
    }

    void section(const ReportSection& section, const std::string& id) {
        const Within within(out_, "section", {{"id", id}});
        out_.element(section.level == 1 ? "h2" : "h3", section.title);
        for (const ReportBlock& block : section.blocks) {
            out_.break_line();
            std::visit([this](const auto& each) { write(each); }, block);
        }
    }

    void write(const Paragraph& paragraph) { out_.element("p", {{"class", paragraph.is_warning ? "warning" : ""}}, paragraph.text); }

    void write(const KeyFigures& figures) {
        const Within list(out_, "dl");
        for (const auto& [name, value] : figures.rows) {
            out_.element("dt", name);
            out_.element("dd", value);
        }
    }

    void write(const Table& table) {
        const Within scrolled(out_, "div", {{"class", "wide"}});
        const Within within(out_, "table");
        const auto cell = [&](const char* name, size_t column, const std::string& text) {
            out_.element(name, {{"class", column < table.columns.size() && table.columns[column].is_number ? "number" : ""}}, text);
        };
        {
            const Within head(out_, "thead");
            const Within row(out_, "tr");
            for (size_t i = 0; i < table.columns.size(); ++i) cell("th", i, table.columns[i].name);
        }
        const Within body(out_, "tbody");
        for (const auto& values : table.rows) {
            out_.break_line();
            const Within row(out_, "tr");
            for (size_t i = 0; i < values.size(); ++i) cell("td", i, values[i]);
        }
    }

    void write(const FoldedTable& folded) {
        const Within details(out_, "details");
        out_.element("summary", folded.title);
        write(folded.table);
    }

    void write(const Picture& picture) {
        const Within figure(out_, "figure");
        out_.insert(picture.svg);
        out_.element("figcaption", picture.caption);
    }

    void write(const Listing& listing) { out_.element("pre", listing.text); }

    void write(const Changes& changes) {
        const Within pre(out_, "pre");
        for (const DiffLine& line : changes.lines) switch (line.kind) {
                case DiffLine::Kind::Removed: out_.element("del", "- " + line.text); break;
                case DiffLine::Kind::Added: out_.element("ins", "+ " + line.text); break;
                case DiffLine::Kind::Same: out_.element("span", {{"class", "same"}}, "  " + line.text); break;
                case DiffLine::Kind::Gap: out_.element("span", {{"class", "gap"}}, line.text); break;
            }
    }

    Markup out_;
};

}  // namespace

std::string to_html(const Report& report) {
    return Page().write(report);
}

}  // namespace calibench
