#pragma once

#include <QObject>
#include <QTimer>

#include <functional>
#include <optional>

#include "ui/latest_task.h"
#include "ui/runs/run_list.h"

namespace calibench {

class RunController;
class Session;

/// Which earlier run of the open model could hand its first blocks to the next one, and how many. Asked anew, off the window's thread,
/// whenever model, text or recipe have changed.
class RerunOffer : public QObject {
    Q_OBJECT

public:
    struct Offer {
        QString directory;
        QString title;
        ReusePreview preview;
    };

    /// `config`: of a run that starts now. All must outlive this.
    RerunOffer(const Session& session, const RunController& controller, const RunList& runs, std::function<RunConfig()> config, QObject* parent = nullptr);

    [[nodiscard]] const std::optional<Offer>& offer() const { return m_offer; }
    [[nodiscard]] QString obstacle() const { return m_obstacle; }  ///< why there is no offer, one sentence
    [[nodiscard]] QString text() const;    ///< "Run only what changed (from block 12)"
    [[nodiscard]] QString detail() const;  ///< what is taken over from where, and why no more

Q_SIGNALS:
    void changed();

private:
    void update();
    void ask();
    void set(std::optional<Offer> offer, const QString& obstacle);

    const Session& m_session;
    const RunController& m_controller;
    const RunList& m_runs;
    const std::function<RunConfig()> m_config;
    std::optional<Offer> m_offer;
    QString m_obstacle;
    QTimer m_delay;  ///< recipes are edited in many steps
    LatestTask m_task;
};

}  // namespace calibench
