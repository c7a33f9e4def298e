#include "ui/plots/spot_marks.h"

namespace calibench {

namespace {

QString makeLayer(QCustomPlot* canvas) {
    const QString name = QStringLiteral("marks");
    canvas->addLayer(name, canvas->layer(QStringLiteral("overlay")));
    canvas->layer(name)->setMode(QCPLayer::lmBuffered);
    canvas->layer(QStringLiteral("overlay"))->setMode(QCPLayer::lmLogical);  // one buffer to fill and blend less
    return name;
}

}  // namespace

SpotMarks::SpotMarks(QCustomPlot* canvas, std::function<Marks()> marks) : QCPLayerable(canvas, makeLayer(canvas)), m_marks(std::move(marks)) {}

void SpotMarks::draw(QCPPainter* painter) {
    const Marks marks = m_marks();
    painter->setBrush(Qt::NoBrush);
    QColor band = m_theme.accent;
    band.setAlpha(28);
    for (const QRectF& box : marks.selected) {
        painter->fillRect(box, band);
        painter->setPen(QPen(m_theme.background, 4));  // the accent alone is lost on a heat map
        painter->drawRoundedRect(box, 2, 2);
        painter->setPen(QPen(m_theme.accent, 2));
        painter->drawRoundedRect(box, 2, 2);
    }
    if (!marks.pointed.isEmpty()) {
        painter->setPen(QPen(m_theme.text, 1.5));
        painter->drawRoundedRect(marks.pointed, 3, 3);
    }
    const QRectF all = parentPlot()->viewport();
    if (!marks.note.isEmpty()) {
        painter->setPen(m_theme.muted);
        painter->drawText(all.adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap, marks.note);
    }
    if (parentPlot()->hasFocus()) {
        painter->setPen(QPen(m_theme.accent, 1));
        painter->drawRect(all.adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

}  // namespace calibench
