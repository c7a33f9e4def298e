#pragma once

#include <QWidget>

#include <vector>

#include "ui/lens/args_row.h"
#include "ui/lens/microscope.h"

class QLabel;
class QPushButton;

namespace calibench {

/// What if the module were quantized otherwise: other arguments for its weight and, where they are quantized, its inputs; what that
/// would change; and the buttons that write it into the recipe or take it back.
class WhatIfStrip : public QWidget {
    Q_OBJECT

public:
    explicit WhatIfStrip(const CoreServices& services, QWidget* parent = nullptr);

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
    /// What speaks against it, though it can be written; empty: nothing.
    void showWarning(const QString& warning);
    [[nodiscard]] QString warning() const;
    [[nodiscard]] QPushButton* applyButton() const { return m_apply; }
    [[nodiscard]] QPushButton* resetButton() const { return m_reset; }

Q_SIGNALS:
    void asked(const calibench::WhatIf& question);
    void resetRequested();
    void applyRequested();

protected:
    void changeEvent(QEvent* event) override;

private:
    void colourWarning();

    WhatIf m_now;
    std::vector<int64_t> m_sizes;
    ArgsRow *m_weights, *m_inputs;
    QLabel *m_effect, *m_warning;
    QPushButton *m_apply, *m_reset;
};

}  // namespace calibench
