#pragma once

#include <QHash>
#include <QObject>
#include <QSet>
#include <QStringList>

#include <memory>

#include "core/models/model_summary.h"

namespace calibench {

class Session;

/// Which modules of the open model a target matches. Thousands of modules are held against a pattern off the window's thread; the
/// answers are remembered until another model is opened.
class TargetMatcher : public QObject {
    Q_OBJECT

public:
    struct Match {
        QStringList modules;  ///< in model order
        QString error;        ///< of a target that is no pattern
    };

    explicit TargetMatcher(const Session& session, QObject* parent = nullptr);

    [[nodiscard]] bool hasModel() const { return m_model != nullptr; }
    /// Null while it is not known; matched() tells when it is.
    [[nodiscard]] const Match* find(const QString& target);
    /// Why the recipe cannot hold this target, whatever the model; empty when it can.
    [[nodiscard]] QString obstacle(const QString& target) const;

Q_SIGNALS:
    void matched();

private:
    void takeModel();
    void work();

    const Session& m_session;
    std::shared_ptr<const ModelSummary> m_model;
    QHash<QString, Match> m_known;
    QSet<QString> m_wanted;
    bool m_atWork = false;
    quint64 m_generation = 0;  ///< an answer about another model is dropped
};

}  // namespace calibench
