#pragma once

#include <QWidget>

#include <vector>

#include "ui/lens/microscope.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QGridLayout;
class QLabel;
class QPushButton;

namespace calibench {

/// QuantizationArgs as one row of small controls. What one choice rules out follows: groups get a size that fits, other strategies none.
class ArgsRow : public QObject {
    Q_OBJECT

public:
    enum class Kind { Weights, Inputs };

    ArgsRow(Kind kind, const std::vector<std::string>& observers, QGridLayout* grid, int line);

    /// `sizes` are group sizes that divide all columns concerned, the largest first.
    void show(const QuantizationArgs& args, const std::vector<int64_t>& sizes);
    [[nodiscard]] const QuantizationArgs& args() const { return m_args; }
    void setVisible(bool visible);

Q_SIGNALS:
    void changed();

private:
    void take();
    void allow();
    [[nodiscard]] std::string usualObserver() const;  ///< where none is named

    const Kind m_kind;
    QuantizationArgs m_args;
    std::vector<int64_t> m_sizes;
    std::vector<QWidget*> m_widgets;
    QComboBox *m_bits, *m_strategy, *m_size, *m_observer;
    QCheckBox* m_symmetric;
    QDoubleSpinBox* m_percentile;
    bool m_showing = false;
};

/// What if the module were quantized otherwise: other arguments for its weight and, where they are quantized, its inputs; what that
/// would change; and the buttons that write it into the recipe or take it back.
class WhatIfStrip : public QWidget {
    Q_OBJECT

public:
    explicit WhatIfStrip(const std::vector<std::string>& observers, QWidget* parent = nullptr);

    /// Begins anew from what is now.
    void start(const WhatIf& now, const std::vector<int64_t>& sizes);
    [[nodiscard]] WhatIf question() const;
    [[nodiscard]] bool differs() const { return question() != m_now; }
    /// As if these had been chosen by hand.
    void propose(const WhatIf& question);
    void setSizes(const std::vector<int64_t>& sizes);
    /// In words; `obstacle`: why it cannot be written into the recipe now, empty when it can.
    void showEffect(const QString& effect, const QString& obstacle);
    [[nodiscard]] QString effect() const;
    [[nodiscard]] QPushButton* applyButton() const { return m_apply; }
    [[nodiscard]] QPushButton* resetButton() const { return m_reset; }

Q_SIGNALS:
    void asked(const calibench::WhatIf& question);
    void resetRequested();
    void applyRequested();

private:
    WhatIf m_now;
    std::vector<int64_t> m_sizes;
    ArgsRow *m_weights, *m_inputs;
    QLabel* m_effect;
    QPushButton *m_apply, *m_reset;
};

}  // namespace calibench
