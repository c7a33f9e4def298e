#pragma once

#include <QWidget>

#include <optional>

#include "core/analysis/input_inspection.h"

namespace calibench {

/// Where a module's output error comes from, as one bar: this module's own rounding against what the modules before it did.
class ErrorSplit : public QWidget {
    Q_OBJECT

public:
    explicit ErrorSplit(QWidget* parent = nullptr);

    void show(const std::optional<OutputError>& error);
    /// Of the noise of both, 0 .. 1; nothing when there is none.
    [[nodiscard]] std::optional<double> localShare() const;
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    std::optional<OutputError> m_error;
};

}  // namespace calibench
