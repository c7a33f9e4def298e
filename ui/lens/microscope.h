#pragma once

#include <QObject>
#include <QString>

#include <memory>
#include <optional>
#include <vector>

#include "core/analysis/input_inspection.h"
#include "core/analysis/weight_inspection.h"
#include "ui/core_services.h"
#include "ui/latest_task.h"
#include "ui/lens/specimen.h"

namespace calibench {

/// One quantized form of the module under the microscope.
struct Slide {
    enum class Kind { Rounded, Left, WhatIf };
    Kind kind = Kind::Rounded;
    std::shared_ptr<const WeightInspection> weight;

    [[nodiscard]] QString name() const;       ///< "Rounded to nearest"
    [[nodiscard]] QString shortName() const;  ///< "nearest"
    [[nodiscard]] QString title(const QString& called) const;  ///< with scheme and SQNR
    bool operator==(const Slide&) const = default;
};

/// How quantized inputs do: an answer of the sketch, or why there is none.
struct InputView {
    std::optional<InputAnswer> answer;
    QString problem;
};

/// Other arguments for the module, to be seen before they are written.
struct WhatIf {
    std::optional<QuantizationArgs> weights, inputs;
    bool operator==(const WhatIf&) const = default;
};

/// Holds what is known of one module: its weight in one or two quantized forms, its inputs, and where the error of its output comes
/// from. All is read and computed off the window's thread; what was held of the module before is released at once.
class Microscope : public QObject {
    Q_OBJECT

public:
    enum class State { Empty, Loading, Ready, Failed };

    explicit Microscope(const CoreServices& services, QObject* parent = nullptr);

    void show(const Specimen& specimen);  ///< nothing happens when it is there already
    void clear();
    void ask(const WhatIf& question);
    void stopAsking();

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] QString error() const { return m_error; }      ///< why it Failed
    [[nodiscard]] QString problem() const { return m_problem; }  ///< why a slide is missing
    [[nodiscard]] const std::optional<Specimen>& specimen() const { return m_specimen; }
    [[nodiscard]] const std::optional<WhatIf>& question() const { return m_question; }

    [[nodiscard]] bool busy() const { return m_looking.busy() || m_asking.busy(); }

    /// What is now, and beside it what the question asked for; without a question what rounding to nearest gives, and what a run left.
    [[nodiscard]] std::vector<Slide> slides() const;
    [[nodiscard]] const InputInspection* input() const { return m_found.input.get(); }  ///< null: no run looked at them
    [[nodiscard]] const InputView& inputNow() const { return m_found.inputNow; }
    [[nodiscard]] const InputView& inputAsked() const { return m_answer.input; }
    [[nodiscard]] const std::optional<OutputError>& output() const { return m_found.output; }

Q_SIGNALS:
    void changed();

private:
    struct Found {
        std::shared_ptr<const WeightInspection> rounded, left;
        std::shared_ptr<const InputInspection> input;
        InputView inputNow;
        std::optional<OutputError> output;
        QString problem;
    };
    struct Answer {
        std::shared_ptr<const WeightInspection> weight;
        InputView input;
        QString problem;
    };
    static Found look(const CoreServices& services, const Specimen& specimen);
    static Answer answer(const CoreServices& services, const Specimen& specimen, const WhatIf& question, const InputInspection* input);
    void release();

    const CoreServices& m_services;
    std::optional<Specimen> m_specimen;
    std::optional<WhatIf> m_question;
    State m_state = State::Empty;
    QString m_error, m_problem;
    Found m_found;
    Answer m_answer;
    LatestTask m_looking, m_asking;
};

}  // namespace calibench
