#pragma once

#include <QDialog>

#include "ui/core_services.h"

class QLabel;
class QSpinBox;

namespace calibench {

class FindingsList;

/// What `calibench-cli check` tells, for the model and recipe in the window: findings of the recipe and of vLLM's rules, the
/// checkpoint's size, memory and time. Worked out off the window's thread.
class PreflightDialog : public QDialog {
    Q_OBJECT

public:
    PreflightDialog(const CoreServices& services, RunConfig config, QWidget* parent = nullptr);

Q_SIGNALS:
    void checked();  ///< what is shown is the answer for tensorParallel()

private:
    void startCheck();
    void showReport(const PreflightReport& report);

    const std::function<PreflightReport(const RunConfig&, const ServingOptions&)> m_check;
    const RunConfig m_config;
    QSpinBox* m_tensorParallel;
    QLabel* m_verdict;
    FindingsList* m_findings;
    QLabel *m_modules, *m_size, *m_memory, *m_time;
    quint64 m_request = 0;
};

}  // namespace calibench
