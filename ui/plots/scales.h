#pragma once

#include <vector>

#include "ui/plots/qcustomplot.h"

namespace calibench {

/// Linear near zero, logarithmic beyond `linear`: shows values of either sign over many decades. Plots hold the mapped values.
struct Symlog {
    double linear = 0;  ///< 0: no change at all

    /// Chosen for the magnitudes at hand: plain while they span no more than three decades.
    [[nodiscard]] static Symlog forMagnitudes(const std::vector<double>& magnitudes);
    /// Never plain, unless there is no magnitude above zero.
    [[nodiscard]] static Symlog always(const std::vector<double>& magnitudes);
    [[nodiscard]] bool active() const { return linear > 0; }
    [[nodiscard]] double map(double value) const;
    [[nodiscard]] double unmap(double position) const;
    bool operator==(const Symlog&) const = default;
};

/// Ticks at zero and at powers of ten of either sign.
class SymlogTicker : public QCPAxisTicker {
public:
    explicit SymlogTicker(Symlog scale) : m_scale(scale) {}

protected:
    QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;
    int getSubTickCount(double) override { return 0; }

private:
    const Symlog m_scale;
};

/// Ticks of a logarithmic axis that stay readable when it covers less than a decade, as losses of one block do.
class LogTicker : public QCPAxisTicker {
protected:
    QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;
    int getSubTickCount(double) override { return 0; }

private:
    double m_step = 0;  ///< between two ticks where they are even; 0: a digit and a power of ten each
};

/// Plain numbers in the window's own spelling ("2e-5", not "2e-05"), with as many digits as tell two ticks apart.
class NumberTicker : public QCPAxisTicker {
protected:
    QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;
    int getSubTickCount(double) override { return 0; }

private:
    double m_step = 0;
};

/// Whole numbers only, each with the label of its index when there are labels; no more of them than `most`.
class IndexTicker : public QCPAxisTicker {
public:
    explicit IndexTicker(QStringList labels = {}, int most = 12) : m_labels(std::move(labels)), m_most(most) {}

protected:
    QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;
    int getSubTickCount(double) override { return 0; }

private:
    const QStringList m_labels;
    const int m_most;
};

}  // namespace calibench
