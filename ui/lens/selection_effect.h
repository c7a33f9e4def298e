#pragma once

#include <QObject>
#include <QThreadPool>

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "ui/core_services.h"

namespace calibench {

/// What other schemes would do to the weights of several modules, looked at one after the other. A newer question ends the older one.
class SelectionEffect : public QObject {
    Q_OBJECT

public:
    struct Sums {
        double meanNow = 0, meanAsked = 0;    ///< SQNR in dB
        double worstNow = 0, worstAsked = 0;
    };

    /// `services` must outlive it.
    explicit SelectionEffect(const CoreServices& services, QObject* parent = nullptr);
    ~SelectionEffect() override;

    /// The same modules by what they are now, and by what is asked.
    void ask(const std::filesystem::path& model, std::vector<ResolvedModule> now, std::vector<ResolvedModule> asked);
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
