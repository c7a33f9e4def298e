#pragma once

#include <QObject>
#include <QThreadPool>

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "ui/core_services.h"

namespace calibench {

/// What other schemes would do to several modules, looked at one after the other: to their weights, and to their inputs as far as a run
/// has seen them. A newer question ends the older one.
class SelectionEffect : public QObject {
    Q_OBJECT

public:
    struct Inputs {
        int count = 0;                      ///< modules whose inputs are answered for, both now and as asked
        double meanNow = 0, meanAsked = 0;  ///< SQNR in dB, of those
        double bound = 0;                   ///< no answer is off by more
        QString problem;                    ///< why one is missing
    };
    struct Sums {
        double meanNow = 0, meanAsked = 0;    ///< SQNR in dB
        double worstNow = 0, worstAsked = 0;
        Inputs inputs;
    };

    /// `services` must outlive it.
    explicit SelectionEffect(const CoreServices& services, QObject* parent = nullptr);
    ~SelectionEffect() override;

    /// The same modules by what they are now, and by what is asked. `run`: looked at their inputs; empty when none did.
    void ask(const std::filesystem::path& model, const std::filesystem::path& run, std::vector<ResolvedModule> now, std::vector<ResolvedModule> asked);
    void stop();
    [[nodiscard]] bool busy() const { return m_control != nullptr; }
    [[nodiscard]] const std::optional<Sums>& sums() const { return m_sums; }
    [[nodiscard]] QString error() const { return m_error; }

Q_SIGNALS:
    void changed();

private:
    const CoreServices& m_services;
    std::shared_ptr<RunControl> m_control;  ///< of what is at work
    std::optional<Sums> m_sums;
    QString m_error;
    QThreadPool m_pool;
};

}  // namespace calibench
