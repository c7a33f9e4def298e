#include "ui/lens/error_split.h"

#include <QPainter>

#include <cmath>

#include "ui/format.h"
#include "ui/plots/plot_theme.h"

namespace calibench {

namespace {

constexpr int BarHeight = 12;

/// Noise against the signal's power.
double noiseOf(double sqnrDb) { return std::isinf(sqnrDb) && sqnrDb > 0 ? 0 : std::pow(10.0, -sqnrDb / 10); }

}  // namespace

ErrorSplit::ErrorSplit(QWidget* parent) : QWidget(parent) { setAccessibleName(tr("Where the output's error comes from")); }

void ErrorSplit::show(const std::optional<OutputError>& error) {
    m_error = error;
    if (m_error)
        setToolTip(tr("Output SQNR %1 dB in all\nThis module's rounding alone, on float inputs: %2 dB\nInherited from quantized modules before it: %3 dB")
                       .arg(formatExact(m_error->output_sqnr_db), formatExact(m_error->local_sqnr_db), formatExact(m_error->inherited_sqnr_db)));
    else
        setToolTip(tr("Measured by a run, on its first samples, when a block is finished."));
    setAccessibleDescription(toolTip());
    update();
}

std::optional<double> ErrorSplit::localShare() const {
    if (!m_error) return {};
    const double local = noiseOf(m_error->local_sqnr_db), inherited = noiseOf(m_error->inherited_sqnr_db);
    return local + inherited > 0 ? std::optional(local / (local + inherited)) : std::nullopt;
}

QSize ErrorSplit::sizeHint() const { return {160, BarHeight + 2 * fontMetrics().height() + 8}; }

QSize ErrorSplit::minimumSizeHint() const { return {80, sizeHint().height()}; }

void ErrorSplit::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const PlotTheme theme = PlotTheme::fromPalette(palette());
    const int line = fontMetrics().height();
    const std::optional<double> share = localShare();
    const auto text = [&](int top, const QString& words, const QColor& colour, Qt::Alignment side) {
        painter.setPen(colour);
        painter.drawText(QRect(0, top, width(), line), static_cast<int>(side | Qt::AlignVCenter), fontMetrics().elidedText(words, Qt::ElideRight, width()));
    };
    if (!share) {
        text(0, m_error ? tr("no error at the output") : tr("not measured: no run"), theme.muted, Qt::AlignLeft);
        return;
    }
    const QRectF bar(0, 2, width(), BarHeight);
    const double middle = std::round(bar.width() * *share);
    painter.fillRect(QRectF(bar.left(), bar.top(), middle, bar.height()), theme.categorical(0));
    painter.fillRect(QRectF(bar.left() + middle, bar.top(), bar.width() - middle, bar.height()), theme.categorical(1));
    // Hatched as well: colour is never the only sign.
    painter.fillRect(QRectF(bar.left() + middle, bar.top(), bar.width() - middle, bar.height()), QBrush(theme.background, Qt::BDiagPattern));
    const int top = BarHeight + 6;
    text(top, tr("own %1 % · %2 dB").arg(std::lround(100 * *share)).arg(formatNumber(m_error->local_sqnr_db)), theme.text, Qt::AlignLeft);
    text(top + line, tr("inherited %1 % · %2 dB").arg(100 - std::lround(100 * *share)).arg(formatNumber(m_error->inherited_sqnr_db)), theme.text, Qt::AlignLeft);
}

}  // namespace calibench
