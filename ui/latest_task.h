#pragma once

#include <QObject>

#include <functional>
#include <utility>

#include "ui/background.h"

namespace calibench {

/// Answers one question at a time off the window's thread. A newer question takes the place of the one that waits, so however fast
/// they come they never queue up; each that was begun is answered, so something is seen while they keep coming.
class LatestTask : public QObject {
public:
    using QObject::QObject;

    /// `work` must own all it touches. `done` gets its Outcome on the window's thread, unless forget() comes first or this is gone.
    template <typename Work, typename Done>
    void ask(Work work, Done done) {
        m_next = [this, work = std::move(work), done = std::move(done)]() mutable { start(std::move(work), std::move(done)); };
        if (!m_busy) startNext();
    }

    /// Nobody wants the answers any more; what is under way goes on unheard.
    void forget() {
        m_next = nullptr;
        ++m_generation;
    }
    [[nodiscard]] bool busy() const { return m_busy; }

private:
    template <typename Work, typename Done>
    void start(Work work, Done done) {
        m_busy = true;
        runInBackground(this, std::move(work), [this, generation = m_generation, done = std::move(done)](auto outcome) mutable {
            m_busy = false;
            if (generation == m_generation) done(std::move(outcome));
            if (!m_busy) startNext();
        });
    }

    void startNext() {
        if (const auto next = std::exchange(m_next, nullptr)) next();
    }

    std::function<void()> m_next;
    quint64 m_generation = 0;
    bool m_busy = false;
};

}  // namespace calibench
