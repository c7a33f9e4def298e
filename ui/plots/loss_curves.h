#pragma once

#include <QCoreApplication>
#include <QImage>

#include <vector>

#include "ui/plots/drawing.h"
#include "ui/plots/plot_theme.h"
#include "ui/run_record.h"

namespace calibench {

/// The losses of the block that is looked at, one curve per attempt with its best iterate as a dot, and the curves of all
/// other blocks as thin lines behind them. Reads the record whenever it is drawn.
class LossCurves : public Drawing {
    Q_DECLARE_TR_FUNCTIONS(calibench::LossCurves)

public:
    struct Line {
        enum class Role { Behind, Earlier, Newest };
        int block = 0, attempt = 0;
        Role role = Role::Behind;
        bool counts = false;  ///< kept, or the one at work
    };

    LossCurves(const RunRecord& record, QCPAxis* iterations, QCPAxis* losses);

    void showBlock(int block) { m_shown = block; }
    void setTheme(const PlotTheme& theme);
    /// What is drawn, in this order.
    [[nodiscard]] std::vector<Line> lines() const;

protected:
    void draw(QCPPainter* painter) override;

private:
    [[nodiscard]] const AttemptRecord& attempt(const Line& line) const;
    [[nodiscard]] QColor colour(const Line& line) const;
    void drawBehind(QCPPainter* painter);
    [[nodiscard]] QImage pictureBehind(const std::vector<Line>& lines, QSize size, double ratio) const;
    void drawMarks(QCPPainter* painter, const Line& line) const;
    void drawKey(QCPPainter* painter, const std::vector<Line>& lines) const;

    /// What the picture of the lines behind depends on, beside the range of iterations.
    struct Backdrop {
        int shown = -1;
        size_t points = 0;
        QSize size;
        QCPRange y;
        int scaleType = 0;
        double pixelRatio = 0;
        QRgb colour = 0;
        bool operator==(const Backdrop&) const = default;
    };

    const RunRecord& m_record;
    int m_shown = -1;
    PlotTheme m_theme;
    Backdrop m_backdrop;
    QImage m_backdropPicture;
    QCPRange m_seen;      ///< when it was drawn
    QCPRange m_pictured;  ///< all that it shows
};

}  // namespace calibench
