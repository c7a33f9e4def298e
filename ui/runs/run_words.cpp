#include "ui/runs/run_words.h"

#include <QCoreApplication>
#include <QDateTime>
#include <QLocale>

#include <cmath>

#include "ui/format.h"
#include "ui/run_log.h"

namespace calibench {

namespace {

QString tr(const char* text, int n = -1) { return QCoreApplication::translate("RunWords", text, nullptr, n); }

}  // namespace

QString wordsOfEnding(const RunFacts& run) {
    using Ending = StoredRun::Ending;
    if (run.at_work) return tr("at work");
    const QString blocks = tr("%1 of %2 blocks").arg(run.blocks_done).arg(run.started.num_blocks);
    switch (run.ending) {
        case Ending::Finished: return tr("finished");
        case Ending::Stopped: return tr("stopped after %1").arg(blocks);
        case Ending::Failed: return tr("failed: %1").arg(QString::fromStdString(run.failure));
        case Ending::Interrupted: break;
    }
    return tr("broken off after %1").arg(blocks);
}

QString wordsOfTuning(const RunFacts& run) {
    if (run.started.iters <= 0) return tr("to nearest");
    const QString iterations = tr("%n iteration(s)", static_cast<int>(run.started.iters));
    return run.effort == "quick" ? tr("%1, quick").arg(iterations) : iterations;
}

QString wordsOfSamples(const RunFacts& run) {
    if (run.config.dataset.empty()) return tr("none");
    return tr("%1 × %2").arg(formatCount(run.config.num_samples), formatCount(run.config.seq_len));
}

QString wordsOfLoss(const RunFacts& run) {
    if (run.started.iters <= 0) return run.mean_best_loss_mse > 0 ? formatNumber(run.mean_best_loss_mse) : QString();
    const QString change = lossChange(run.mean_initial_loss_mse, run.mean_best_loss_mse);
    return change.isEmpty() ? QString() : tr("%1 → %2 (%3)").arg(formatNumber(run.mean_initial_loss_mse), formatNumber(run.mean_best_loss_mse), change);
}

QString wordsOfPerplexity(const PerplexityNote& note) {
    const double more = note.quantized - note.original;
    return std::isfinite(more) ? tr("%1 (%2%3)").arg(formatNumber(note.quantized), more < 0 ? QString() : QStringLiteral("+"), formatNumber(more)) : formatNumber(note.quantized);
}

QString detailOfPerplexity(const PerplexityNote& note) {
    const QString tokens = note.max_tokens > 0 ? tr("the first %1 tokens").arg(formatCount(note.max_tokens)) : tr("all tokens");
    return tr("Quantized: %1\nThe model before: %2\nOn %3 of %4, in windows of %5")
        .arg(formatExact(note.quantized), formatExact(note.original), tokens, toText(note.text), formatCount(note.seq_len));
}

QString wordsOfTime(int64_t secondsSince1970) {
    return secondsSince1970 > 0 ? QLocale().toString(QDateTime::fromSecsSinceEpoch(secondsSince1970), QLocale::ShortFormat) : QString();
}

}  // namespace calibench
