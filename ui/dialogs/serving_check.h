#pragma once

#include <QWidget>

#include <optional>

#include "ui/core_services.h"

class QLabel;
class QSpinBox;

namespace calibench {

class FindingsList;

/// What vLLM will say to a run's checkpoint, for as many GPUs as are chosen. Worked out off the window's thread.
class ServingCheck : public QWidget {
    Q_OBJECT

public:
    /// `config`: of the run that made the checkpoint.
    ServingCheck(const CoreServices& services, RunConfig config, QWidget* parent = nullptr);

    [[nodiscard]] int tensorParallel() const;
    [[nodiscard]] const std::optional<PreflightReport>& report() const { return m_report; }  ///< unset until checked, and when that failed

Q_SIGNALS:
    void checked();  ///< report() is for tensorParallel()

private:
    void check();
    void showReport();

    const std::function<PreflightReport(const RunConfig&, const ServingOptions&)> m_check;
    const RunConfig m_config;
    QSpinBox* m_tensorParallel;
    QLabel* m_verdict;
    FindingsList* m_findings;
    std::optional<PreflightReport> m_report;
    quint64 m_request = 0;
};

}  // namespace calibench
