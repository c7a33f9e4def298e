#include "ui/plots/loss_curves.h"

#include <cmath>

#include "ui/plots/series_painter.h"

namespace calibench {

LossCurves::LossCurves(const RunRecord& record, QCPAxis* iterations, QCPAxis* losses) : Drawing(iterations, losses), m_record(record) {}

void LossCurves::setTheme(const PlotTheme& theme) { m_theme = theme; }

std::vector<LossCurves::Line> LossCurves::lines() const {
    using Role = Line::Role;
    std::vector<Line> all;
    const auto& blocks = m_record.blocks();
    for (int i = 0; i < static_cast<int>(blocks.size()); ++i)
        if (i != m_shown && !blocks[static_cast<size_t>(i)].losses().empty())
            all.push_back({.block = i, .attempt = blocks[static_cast<size_t>(i)].counted(), .counts = true});
    if (m_shown < 0 || static_cast<size_t>(m_shown) >= blocks.size()) return all;
    const BlockRecord& shown = blocks[static_cast<size_t>(m_shown)];
    for (int i = 0; i < static_cast<int>(shown.attempts.size()); ++i) {
        const bool newest = i + 1 == static_cast<int>(shown.attempts.size());
        all.push_back({.block = m_shown, .attempt = i, .role = newest ? Role::Newest : Role::Earlier, .counts = i == shown.counted()});
    }
    return all;
}

const AttemptRecord& LossCurves::attempt(const Line& line) const {
    return m_record.blocks()[static_cast<size_t>(line.block)].attempts[static_cast<size_t>(line.attempt)];
}

QColor LossCurves::colour(const Line& line) const {
    switch (line.role) {
        case Line::Role::Behind: return m_theme.mixed(m_theme.muted, 0.4);
        case Line::Role::Earlier: return m_theme.categorical(line.attempt + 1);  // the first colour is close to the newest one's
        case Line::Role::Newest: break;
    }
    return m_theme.accent;
}

void LossCurves::draw(QCPPainter* painter) {
    drawBehind(painter);
    std::vector<Line> own = lines();
    std::erase_if(own, [](const Line& line) { return line.role == Line::Role::Behind; });
    for (const Line& line : own)
        drawSeries(painter, attempt(line).losses, keyAxis(), valueAxis(), colour(line), line.role == Line::Role::Newest ? 2 : 1.5);
    for (const Line& line : own) drawMarks(painter, line);
    if (own.size() > 1) drawKey(painter, own);
}

void LossCurves::drawBehind(QCPPainter* painter) {
    const std::vector<Line> all = lines();
    const QRect area = clipRect();
    const QCPRange seen = keyAxis()->range();
    Backdrop now{.shown = m_shown, .size = area.size(), .y = valueAxis()->range(), .scaleType = valueAxis()->scaleType(),
                 .pixelRatio = pixelRatio(painter), .colour = colour({}).rgb()};
    for (const Line& line : all)
        if (line.role == Line::Role::Behind) now.points += attempt(line).losses.size();
    if (now.points == 0) return;
    if (keepsShapes(painter)) {
        for (const Line& line : all)
            if (line.role == Line::Role::Behind) drawSeries(painter, attempt(line).losses, keyAxis(), valueAxis(), now.colour, 1);
        return;
    }

    // While one block is tuned the others stay as they are: drawn once, and beyond the edges as soon as the view is moved.
    const bool same = now == m_backdrop && std::abs(seen.size() - m_seen.size()) * area.width() < 0.25 * seen.size();
    if (!same || seen.lower < m_pictured.lower || seen.upper > m_pictured.upper) {
        const double margin = same ? 0.5 * seen.size() : 0;
        m_pictured = QCPRange(seen.lower - margin, seen.upper + margin);
        m_seen = seen;
        m_backdrop = now;
        m_backdropPicture = pictureBehind(all, QSize(same ? 2 * area.width() : area.width(), area.height()), now.pixelRatio);
    }
    const double skipped = (seen.lower - m_pictured.lower) / seen.size() * area.width();
    painter->drawImage(area.topLeft(), m_backdropPicture,
                       QRectF(std::round(skipped * now.pixelRatio), 0, area.width() * now.pixelRatio, m_backdropPicture.height()).toRect());
}

QImage LossCurves::pictureBehind(const std::vector<Line>& lines, QSize size, double ratio) const {
    LineRaster raster(size, ratio, 1);
    for (const Line& line : lines)
        if (line.role == Line::Role::Behind) rasterSeries(raster, attempt(line).losses, m_pictured, valueAxis());
    return raster.picture(colour({}));
}

void LossCurves::drawMarks(QCPPainter* painter, const Line& line) const {
    const AttemptRecord& tried = attempt(line);
    painter->setAntialiasing(true);
    if (tried.best && drawable(tried.best->y, valueAxis())) {
        const QPointF place(keyAxis()->coordToPixel(tried.best->x), valueAxis()->coordToPixel(tried.best->y));
        painter->setPen(QPen(line.counts ? m_theme.text : colour(line), 1.5));
        painter->setBrush(line.counts ? colour(line) : m_theme.background);
        painter->drawEllipse(place, 5, 5);
    }
    // A loss that is no number is a cross at the upper edge; zero on a logarithmic axis is one at the lower edge.
    const auto& extent = tried.losses.extent();
    const bool allDrawable = extent.low > 0 || valueAxis()->scaleType() == QCPAxis::stLinear;
    painter->setPen(QPen(m_theme.warning, 1.5));
    double lastX = -1e9;
    if (tried.losses.numNotFinite() == 0 && allDrawable) return;
    for (const SeriesPoint& point : tried.losses.points()) {
        if (drawable(point.y, valueAxis()) || !keyAxis()->range().contains(point.x)) continue;
        const double x = keyAxis()->coordToPixel(point.x);
        if (x - lastX < 10) continue;
        lastX = x;
        const double y = std::isfinite(point.y) ? clipRect().bottom() - 6 : clipRect().top() + 6;
        painter->drawLine(QPointF(x - 4, y - 4), QPointF(x + 4, y + 4));
        painter->drawLine(QPointF(x - 4, y + 4), QPointF(x + 4, y - 4));
    }
}

void LossCurves::drawKey(QCPPainter* painter, const std::vector<Line>& lines) const {
    const bool done = m_record.blocks()[static_cast<size_t>(m_shown)].result.has_value();
    QStringList names;
    for (const Line& line : lines) {
        QString name = tr("Attempt %1").arg(line.attempt + 1);
        if (const std::string& changes = attempt(line).changes; !changes.empty()) name = tr("%1: %2").arg(name, QString::fromStdString(changes));
        names << (done && line.counts ? tr("%1 (kept)").arg(name) : name);
    }
    painter->setFont(valueAxis()->labelFont());
    const QFontMetricsF metrics(painter->font());
    double width = 0;
    for (const QString& name : names) width = std::max(width, metrics.horizontalAdvance(name));
    width = std::min(width, clipRect().width() * 0.6);
    QRectF box(0, 0, width + 36, metrics.height() * static_cast<double>(names.size()) + 8);
    box.moveTopRight(QPointF(clipRect().right() - 8, clipRect().top() + 8));
    QColor veil = m_theme.background;
    veil.setAlpha(215);
    painter->fillRect(box, veil);
    for (qsizetype i = 0; i < names.size(); ++i) {
        const QRectF row(box.left() + 4, box.top() + 4 + metrics.height() * static_cast<double>(i), box.width() - 8, metrics.height());
        painter->setPen(QPen(colour(lines[static_cast<size_t>(i)]), lines[static_cast<size_t>(i)].role == Line::Role::Newest ? 2 : 1.5));
        painter->drawLine(QPointF(row.left(), row.center().y()), QPointF(row.left() + 18, row.center().y()));
        painter->setPen(m_theme.text);
        painter->drawText(row.adjusted(26, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft, metrics.elidedText(names[i], Qt::ElideRight, width));
    }
}

}  // namespace calibench
