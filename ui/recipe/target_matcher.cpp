#include "ui/recipe/target_matcher.h"

#include <utility>

#include "ui/background.h"
#include "ui/session.h"

namespace calibench {

namespace {

constexpr qsizetype MaxKnown = 1000;  // a person who types makes a new target with every key

TargetMatcher::Match matchOf(const CoreServices& services, const QString& target, const ModelSummary& model) {
    TargetMatcher::Match match;
    try {
        for (const std::string& name : services.matchedModules(target.toStdString(), model)) match.modules << QString::fromStdString(name);
    } catch (const std::exception& error) {
        match.error = QString::fromUtf8(error.what());
    }
    return match;
}

}  // namespace

TargetMatcher::TargetMatcher(const Session& session, QObject* parent) : QObject(parent), m_session(session) {
    connect(&session, &Session::modelChanged, this, &TargetMatcher::takeModel);
    takeModel();
}

void TargetMatcher::takeModel() {
    ++m_generation;
    m_known.clear();
    m_wanted.clear();
    m_model = m_session.modelState() == Session::ModelState::Ready ? std::make_shared<const ModelSummary>(m_session.model()) : nullptr;
    Q_EMIT matched();  // whoever shows counts asks anew
}

const TargetMatcher::Match* TargetMatcher::find(const QString& target) {
    if (const auto known = m_known.constFind(target); known != m_known.constEnd()) return &*known;
    if (m_model) {
        m_wanted.insert(target);
        if (!m_atWork) work();
    }
    return nullptr;
}

QString TargetMatcher::obstacle(const QString& target) const { return matchOf(m_session.services(), target, {}).error; }

void TargetMatcher::work() {
    using Answers = QHash<QString, Match>;
    m_atWork = true;
    const auto look = [services = m_session.services(), model = m_model, targets = std::exchange(m_wanted, {})] {
        Answers answers;
        for (const QString& target : targets) answers.insert(target, matchOf(services, target, *model));
        return answers;
    };
    runInBackground(this, look, [this, generation = m_generation](Outcome<Answers> outcome) {
        m_atWork = false;
        if (generation == m_generation && outcome.value) {
            if (m_known.size() > MaxKnown) m_known.clear();
            m_known.insert(*outcome.value);
            Q_EMIT matched();
        }
        if (!m_wanted.isEmpty() && !m_atWork) work();
    });
}

}  // namespace calibench
