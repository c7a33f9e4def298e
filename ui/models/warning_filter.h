#pragma once

#include <QSortFilterProxyModel>

#include <optional>

#include "core/calibration/run_events.h"

namespace calibench {

/// Of the warnings: those of one kind, that hold a text, and are not ignored unless asked for.
class WarningFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    explicit WarningFilter(QObject* parent = nullptr);

    void setText(const QString& text);
    void setKind(std::optional<Warning::Kind> kind);
    void setIgnoredShown(bool shown);

protected:
    [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

private:
    QString m_text;
    std::optional<Warning::Kind> m_kind;
    bool m_ignoredShown = false;
};

}  // namespace calibench
