#include "ui/runs/runs_model.h"

#include "ui/format.h"
#include "ui/plots/plot_table.h"
#include "ui/runs/run_words.h"
#include "ui/theme.h"

namespace calibench {

namespace {

bool isNumber(int column) {
    return column == RunsModel::Loss || column == RunsModel::Size || column == RunsModel::PerplexityColumn || column == RunsModel::Time || column == RunsModel::Samples;
}

}  // namespace

RunsModel::RunsModel(RunList& list, QObject* parent) : TableModel(parent), m_list(list) {
    connect(&list, &RunList::aboutToAdd, this, [this](int count) { beginInsertRows({}, rowCount(), rowCount() + count - 1); });
    connect(&list, &RunList::added, this, [this] { endInsertRows(); });
    connect(&list, &RunList::aboutToRemove, this, [this](int run) { beginRemoveRows({}, run, run); });
    connect(&list, &RunList::removed, this, [this] { endRemoveRows(); });
    connect(&list, &RunList::runChanged, this, [this](int run) { Q_EMIT dataChanged(index(run, 0), index(run, NUM_COLUMNS - 1)); });
}

QString RunsModel::text(const KnownRun& run, Column column) {
    if (column == Title) return run.title();
    if (!run.facts) return column == Ending ? run.problem.isEmpty() ? tr("being read") : tr("damaged: %1").arg(run.problem) : QString();
    const RunFacts& facts = *run.facts;
    switch (column) {
        case Began: return wordsOfTime(facts.began);
        case Model: return QString::fromStdString(facts.started.model.empty() ? facts.config.model_dir.filename().string() : facts.started.model);
        case Scheme: return QString::fromStdString(facts.schemes);
        case Samples: return wordsOfSamples(facts);
        case Tuning: return wordsOfTuning(facts);
        case Loss: return wordsOfLoss(facts);
        case Size: return facts.output_bytes > 0 ? formatBytes(static_cast<double>(facts.output_bytes)) : QString();
        case PerplexityColumn: return run.notes.perplexity ? wordsOfPerplexity(*run.notes.perplexity) : QString();
        case Time: return formatDuration(facts.seconds);
        case Ending: return wordsOfEnding(facts);
        default: return {};
    }
}

QVariant RunsModel::sortKey(const KnownRun& run, Column column) {
    if (column == Title || column == Ending) return text(run, column);
    if (!run.facts) return {};
    const RunFacts& facts = *run.facts;
    switch (column) {
        case Began: return static_cast<double>(facts.began);
        case Samples: return static_cast<double>(facts.config.num_samples * facts.config.seq_len);
        case Tuning: return static_cast<double>(facts.started.iters);
        case Loss: return facts.mean_initial_loss_mse > 0 ? QVariant(facts.mean_best_loss_mse) : QVariant();
        case Size: return facts.output_bytes > 0 ? QVariant(static_cast<double>(facts.output_bytes)) : QVariant();
        case PerplexityColumn: return run.notes.perplexity ? QVariant(run.notes.perplexity->quantized) : QVariant();
        case Time: return facts.seconds;
        default: return text(run, column);
    }
}

QString RunsModel::toolTip(const KnownRun& run, Column column) {
    switch (column) {
        case Title: {
            QString tip = run.problem.isEmpty() ? run.directory : run.problem;
            if (!run.notes.annotation.empty()) tip += QStringLiteral("\n\n") + QString::fromStdString(run.notes.annotation);
            return run.notesProblem.isEmpty() ? tip : tip + QStringLiteral("\n\n") + run.notesProblem;
        }
        case Model: return run.facts ? toText(run.facts->config.model_dir) : QString();
        case PerplexityColumn: return run.notes.perplexity ? detailOfPerplexity(*run.notes.perplexity) : QString();
        case Loss:
            return run.facts && run.facts->mean_initial_loss_mse > 0
                       ? tr("Mean over the blocks: %1 at the start, %2 at best").arg(formatExact(run.facts->mean_initial_loss_mse), formatExact(run.facts->mean_best_loss_mse))
                       : QString();
        default: return text(run, column);
    }
}

QVariant RunsModel::cell(int row, int place, int role) const {
    const KnownRun& known = run(row);
    const auto column = static_cast<Column>(place);
    switch (role) {
        case Qt::DisplayRole: return text(known, column);
        case Qt::EditRole: return column == Title ? known.title() : text(known, column);
        case Qt::ToolTipRole: return toolTip(known, column);
        case Qt::DecorationRole: return column == Title && (!known.problem.isEmpty() || !known.notesProblem.isEmpty()) ? symbolicIcon(QStringLiteral("warning")) : QVariant();
        case Qt::TextAlignmentRole: return isNumber(column) ? int(Qt::AlignRight | Qt::AlignVCenter) : int(Qt::AlignLeft | Qt::AlignVCenter);
        case SortRole: return sortKey(known, column);
        case DirectoryRole: return known.directory;
        default: return {};
    }
}

bool RunsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    if (role != Qt::EditRole || index.column() != Title || !checkIndex(index, CheckIndexOption::IndexIsValid)) return false;
    const QString title = value.toString().trimmed();
    if (title == run(index.row()).title()) return false;
    RunNotes notes = run(index.row()).notes;
    notes.title = title.toStdString();
    m_list.setNotes(index.row(), notes);
    return true;
}

Qt::ItemFlags RunsModel::flags(const QModelIndex& index) const {
    const Qt::ItemFlags flags = TableModel::flags(index);
    return index.isValid() && index.column() == Title ? flags | Qt::ItemIsEditable : flags;
}

QVariant RunsModel::title(int column, int role) const {
    if (role == Qt::TextAlignmentRole) return isNumber(column) ? int(Qt::AlignRight | Qt::AlignVCenter) : int(Qt::AlignLeft | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) switch (column) {
            case Title: return tr("Its name, which F2 changes");
            case Scheme: return tr("How modules were quantized, and how many of them");
            case Samples: return tr("Samples of calibration text and tokens in each");
            case Loss: return tr("Mean squared error of the blocks' outputs, at the start of tuning and at best");
            case Size: return tr("Of the checkpoint's tensors");
            case PerplexityColumn: return tr("Of the checkpoint on a text, and how much more than the model's own");
            case Time: return tr("That it took, all its parts together");
            default: return {};
        }
    if (role != Qt::DisplayRole) return {};
    switch (column) {
        case Title: return tr("Run");
        case Began: return tr("When");
        case Model: return tr("Model");
        case Scheme: return tr("Scheme");
        case Samples: return tr("Samples");
        case Tuning: return tr("Tuning");
        case Loss: return tr("Mean loss");
        case Size: return tr("Size");
        case PerplexityColumn: return tr("Perplexity");
        case Time: return tr("Time");
        default: return tr("Ended");
    }
}

std::optional<double> RunsModel::number(int row, int column) const {
    if (column != Loss && column != Size && column != PerplexityColumn && column != Time) return {};
    const QVariant key = sortKey(run(row), static_cast<Column>(column));
    return key.isValid() ? std::optional(key.toDouble()) : std::nullopt;
}

}  // namespace calibench
