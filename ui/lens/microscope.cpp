#include "ui/lens/microscope.h"

#include <algorithm>

#include "core/base/error.h"
#include "ui/format.h"

namespace calibench {

namespace {

InputView viewOf(const InputInspection* input, const std::optional<QuantizationArgs>& args) {
    if (!input || !args) return {};
    try {
        return {.answer = input->answer(*args), .problem = {}};
    } catch (const InputError& error) {
        return {.answer = {}, .problem = QString::fromUtf8(error.what())};
    }
}

}  // namespace

QString Slide::name() const {
    switch (kind) {
        case Kind::Rounded: return Microscope::tr("Rounded to nearest");
        case Kind::Left: return Microscope::tr("As the run left it");
        case Kind::WhatIf: return Microscope::tr("What if");
    }
    return {};
}

QString Slide::shortName() const {
    switch (kind) {
        case Kind::Rounded: return Microscope::tr("nearest");
        case Kind::Left: return Microscope::tr("run");
        case Kind::WhatIf: return Microscope::tr("what if");
    }
    return {};
}

QString Slide::title(const QString& called) const {
    const WeightFacts& facts = weight->facts();
    return Microscope::tr("%1 · %2 · %3 dB").arg(called, QString::fromStdString(facts.scheme), formatNumber(facts.sqnr_db));
}

Microscope::Microscope(const CoreServices& services, QObject* parent) : QObject(parent), m_services(services) {}

Microscope::Found Microscope::look(const CoreServices& services, const Specimen& specimen) {
    Found found;
    if (!specimen.run.empty()) try {
            found.input = services.inspectInput(specimen.run, specimen.module);
            for (const OutputError& output : services.readOutputErrors(specimen.run))
                if (output.module == specimen.module) found.output = output;
        } catch (const InputError& error) {
            found.problem = QString::fromUtf8(error.what());
        }
    if (specimen.wasQuantized()) try {
            found.left = services.inspectWeight(specimen.asTheRunLeftIt());
        } catch (const InputError& error) {
            found.problem = QString::fromUtf8(error.what());
        }
    if (specimen.scheme && specimen.scheme->weights)
        found.rounded = services.inspectWeight(specimen.rounded(*specimen.scheme->weights, found.input.get()));
    if (specimen.scheme) found.inputNow = viewOf(found.input.get(), specimen.scheme->input_activations);
    return found;
}

Microscope::Answer Microscope::answer(const CoreServices& services, const Specimen& specimen, const WhatIf& question, const InputInspection* input) {
    Answer answer;
    try {
        if (question.weights) answer.weight = services.inspectWeight(specimen.rounded(*question.weights, input));
    } catch (const InputError& error) {
        answer.problem = QString::fromUtf8(error.what());
    }
    answer.input = viewOf(input, question.inputs);
    return answer;
}

void Microscope::release() {
    m_looking.forget();
    m_asking.forget();
    m_question.reset();
    m_found = {};
    m_answer = {};
    m_error.clear();
    m_problem.clear();
}

void Microscope::clear() {
    if (m_state == State::Empty && !m_specimen) return;
    release();
    m_specimen.reset();
    m_state = State::Empty;
    Q_EMIT changed();
}

void Microscope::show(const Specimen& specimen) {
    if (m_specimen == specimen && m_state != State::Failed) return;
    const bool same = m_specimen && m_specimen->module == specimen.module && m_specimen->model == specimen.model && m_specimen->scheme == specimen.scheme;
    const std::optional<WhatIf> question = same ? m_question : std::nullopt;  // of another module, or of another recipe, it means something else
    m_specimen = specimen;
    release();
    m_state = State::Loading;
    Q_EMIT changed();
    m_looking.ask([services = m_services, specimen] { return look(services, specimen); }, [this, question](Outcome<Found> outcome) {
        m_state = outcome.value ? State::Ready : State::Failed;
        m_error = outcome.error;
        if (outcome.value) m_found = std::move(*outcome.value);
        m_problem = m_found.problem;
        Q_EMIT changed();
        if (question && m_state == State::Ready) ask(*question);
    });
}

void Microscope::ask(const WhatIf& question) {
    if (m_state != State::Ready || m_question == question) return;
    m_question = question;
    const auto work = [services = m_services, specimen = *m_specimen, question, input = m_found.input] {
        return answer(services, specimen, question, input.get());
    };
    m_asking.ask(work, [this](Outcome<Answer> outcome) {
        m_answer = outcome.value ? std::move(*outcome.value) : Answer{.weight = {}, .input = {}, .problem = outcome.error};
        m_problem = m_answer.problem;
        Q_EMIT changed();
    });
}

void Microscope::stopAsking() {
    if (!m_question) return;
    m_asking.forget();
    m_question.reset();
    m_answer = {};
    m_problem = m_found.problem;
    Q_EMIT changed();
}

std::vector<Slide> Microscope::slides() const {
    using Kind = Slide::Kind;
    std::vector<Slide> slides{{Kind::Rounded, m_found.rounded}, {Kind::Left, m_found.left}};
    if (m_answer.weight) slides = {m_found.left ? slides[1] : slides[0], {Kind::WhatIf, m_answer.weight}};
    std::erase_if(slides, [](const Slide& slide) { return !slide.weight; });
    return slides;
}

}  // namespace calibench
