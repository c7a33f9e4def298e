#pragma once

#include <QWidget>

#include <optional>
#include <vector>

#include "ui/latest_task.h"
#include "ui/lens/microscope.h"
#include "ui/lens/selection_effect.h"
#include "ui/lens/what_if_strip.h"

namespace calibench {

class RunController;
class Session;

/// Asks the microscope what other arguments would do to the module under it, and to the others that are picked with it; says what
/// that changes, and writes it into the recipe.
class WhatIfPanel : public QWidget {
    Q_OBJECT

public:
    /// All must outlive the panel.
    WhatIfPanel(Session& session, const RunController& controller, Microscope& microscope, QWidget* parent = nullptr);

    [[nodiscard]] WhatIfStrip* strip() const { return m_strip; }
    void refresh();  ///< the microscope has changed
    void ask();      ///< what the controls say
    void reset();
    [[nodiscard]] bool busy() const { return m_effect.busy() || m_serving.busy(); }

private:
    void askForPicked();
    void askServing();
    void apply();
    /// Of every module concerned, as it is written into the recipe.
    [[nodiscard]] QuantizationScheme askedScheme() const;
    [[nodiscard]] QString whyNotApply() const;
    void showEffect();
    [[nodiscard]] QString effectOnShown() const;
    [[nodiscard]] QString effectOnPicked() const;
    [[nodiscard]] QString effectOnSize() const;
    [[nodiscard]] QString effectOnInputs() const;
    [[nodiscard]] QString effectOnPickedInputs() const;
    /// What a change is meant for: all that are picked when the shown module is one of them, in model order.
    [[nodiscard]] QStringList concerned() const;
    [[nodiscard]] std::vector<int64_t> fittingSizes() const;
    [[nodiscard]] std::vector<ResolvedModule> resolved(const QStringList& modules) const;  ///< as the recipe has them

    Session& m_session;
    const RunController& m_controller;
    Microscope& m_microscope;
    WhatIfStrip* m_strip;
    std::optional<Specimen> m_begunFor;
    SelectionEffect m_effect;
    LatestTask m_serving;
    QString m_refusals;  ///< what vLLM would refuse as asked and does not refuse now
    QString m_applyError;
};

}  // namespace calibench
