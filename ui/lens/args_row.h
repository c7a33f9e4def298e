#pragma once

#include <QObject>

#include <string>
#include <vector>

#include "ui/lens/value_format.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QGridLayout;
class QWidget;

namespace calibench {

/// QuantizationArgs as one row of small controls. What one choice rules out follows: groups get a size that fits, other strategies none,
/// and a float format brings its own.
class ArgsRow : public QObject {
    Q_OBJECT

public:
    using Kind = ValueKind;

    ArgsRow(Kind kind, const CoreServices& services, QGridLayout* grid, int line);

    /// Begins anew. `sizes` are group sizes that divide all columns concerned, the largest first.
    void begin(const QuantizationArgs& args, const std::vector<int64_t>& sizes);
    void show(const QuantizationArgs& args, const std::vector<int64_t>& sizes);
    [[nodiscard]] const QuantizationArgs& args() const { return m_args; }
    void setVisible(bool visible);

Q_SIGNALS:
    void changed();

private:
    struct StrategyWords {
        Strategy strategy;
        bool dynamic;
        QString name;
    };
    [[nodiscard]] static std::vector<StrategyWords> strategiesOf(Kind kind);
    void makeControls(const std::vector<std::string>& observers);
    void take();
    void takeFormat();
    void takeGroups();
    void takeObserver();
    void allowWhatCounts();  ///< for these arguments; what does not is disabled and says why
    [[nodiscard]] const ValueFormat* format() const;      ///< of the arguments; null for one that is not offered
    [[nodiscard]] bool suits(Strategy strategy) const;    ///< the format
    [[nodiscard]] int64_t fittingSize() const;
    [[nodiscard]] std::string usualObserver() const;      ///< where none is named

    const Kind m_kind;
    const std::vector<ValueFormat> m_formats;
    const std::vector<StrategyWords> m_strategies;
    QuantizationArgs m_args, m_begun;
    std::vector<int64_t> m_sizes;
    std::vector<QWidget*> m_widgets;
    QComboBox *m_format, *m_strategy, *m_size, *m_observer;
    QCheckBox* m_symmetric;
    QDoubleSpinBox* m_percentile;
    bool m_showing = false;
};

}  // namespace calibench
