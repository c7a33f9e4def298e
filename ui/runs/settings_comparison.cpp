#include "ui/runs/settings_comparison.h"

#include <QFont>

#include "ui/format.h"
#include "ui/runs/run_words.h"

namespace calibench {

void SettingsComparison::setRuns(const std::vector<ComparedRun>& runs, bool onlyDifferences) {
    beginResetModel();
    m_titles.clear();
    m_rows.clear();
    std::vector<const KnownRun*> known;
    for (const ComparedRun& run : runs) {
        if (!run.known.facts) continue;
        known.push_back(&run.known);
        m_titles << run.known.title();
    }
    const auto add = [&](const QString& name, auto textOf) {
        Row row{name, {}};
        for (const KnownRun* run : known) row.values << textOf(*run);
        if (row.values.count(QString()) < row.values.size() && (!onlyDifferences || row.differs())) m_rows.push_back(std::move(row));
    };
    const auto addSetting = [&](const QString& name, auto textOf) { add(name, [&](const KnownRun& run) { return textOf(run.facts->config); }); };
    const auto addResult = [&](const QString& name, auto textOf) { add(name, [&](const KnownRun& run) { return textOf(*run.facts); }); };
    const auto orRecipe = [](const std::optional<int64_t>& value) { return value ? formatCount(*value) : tr("by the recipe"); };

    addSetting(tr("Model"), [](const RunConfig& c) { return toText(c.model_dir); });
    addSetting(tr("Text"), [](const RunConfig& c) { return c.dataset.empty() ? tr("none") : toText(c.dataset); });
    addSetting(tr("Samples"), [](const RunConfig& c) { return formatCount(c.num_samples); });
    addSetting(tr("Tokens in a sample"), [](const RunConfig& c) { return formatCount(c.seq_len); });
    addSetting(tr("Seed"), [](const RunConfig& c) { return QString::number(c.seed); });
    addSetting(tr("Iterations asked for"), [&](const RunConfig& c) { return orRecipe(c.iters); });
    addSetting(tr("Batch size asked for"), [&](const RunConfig& c) { return orRecipe(c.batch_size); });
    addResult(tr("Tuning"), [](const RunFacts& r) { return wordsOfTuning(r); });
    addResult(tr("Batch size"), [](const RunFacts& r) { return r.started.batch_size > 0 ? formatCount(r.started.batch_size) : QString(); });
    addResult(tr("Schemes"), [](const RunFacts& r) { return QString::fromStdString(r.schemes); });
    addResult(tr("Quantized modules"), [](const RunFacts& r) { return formatCount(r.started.num_quantized_modules); });
    addResult(tr("Device"), [](const RunFacts& r) { return QString::fromStdString(r.started.device); });
    addResult(tr("Computed in"), [](const RunFacts& r) { return QString::fromStdString(r.started.dtype); });
    addResult(tr("Threads"), [](const RunFacts& r) { return formatCount(r.started.threads); });
    addSetting(tr("Memory for activations"), [](const RunConfig& c) { return c.max_memory > 0 ? formatBytes(static_cast<double>(c.max_memory)) : tr("no limit"); });
    addSetting(tr("Blocks taken over from"), [](const RunConfig& c) { return toText(c.reuse); });
    addResult(tr("Blocks taken over"), [](const RunFacts& r) { return r.config.reuse.empty() ? QString() : formatCount(r.started.reused_blocks); });
    addResult(tr("Ended"), [](const RunFacts& r) { return wordsOfEnding(r); });
    addResult(tr("Mean loss"), [](const RunFacts& r) { return wordsOfLoss(r); });
    add(tr("Perplexity"), [](const KnownRun& run) { return run.notes.perplexity ? wordsOfPerplexity(*run.notes.perplexity) : QString(); });
    addResult(tr("Checkpoint"), [](const RunFacts& r) { return r.output_bytes > 0 ? formatBytes(static_cast<double>(r.output_bytes)) : QString(); });
    addResult(tr("Time"), [](const RunFacts& r) { return formatDuration(r.seconds); });
    addResult(tr("Warnings"), [](const RunFacts& r) { return formatCount(static_cast<int64_t>(r.warnings.size())); });
    addResult(tr("Began"), [](const RunFacts& r) { return wordsOfTime(r.began); });
    add(tr("Folder"), [](const KnownRun& run) { return run.directory; });
    endResetModel();
}

QVariant SettingsComparison::cell(int index, int column, int role) const {
    const Row& row = m_rows[static_cast<size_t>(index)];
    const bool differs = row.differs();
    switch (role) {
        case Qt::DisplayRole: return column > 0 ? row.values[column - 1] : differs ? tr("%1 ≠").arg(row.name) : row.name;
        case Qt::ToolTipRole: return column > 0 ? row.values[column - 1] : differs ? tr("The runs differ in this.") : QString();
        case Qt::FontRole: {
            QFont font;
            font.setBold(true);
            return column > 0 && row.values[column - 1] != row.values[0] ? QVariant(font) : QVariant();
        }
        case DiffersRole: return differs;
        default: return {};
    }
}

QVariant SettingsComparison::title(int column, int role) const {
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignLeft | Qt::AlignVCenter);
    if (role != Qt::DisplayRole && role != Qt::ToolTipRole) return {};
    if (column == 0) return role == Qt::DisplayRole ? tr("Setting") : QString();
    const QString title = m_titles[column - 1];
    return m_titles.size() > 1 ? tr("%1: %2").arg(letterOf(static_cast<size_t>(column - 1)), title) : title;
}

}  // namespace calibench
