#pragma once

#include <QWidget>

#include <optional>

#include "ui/run_controller.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;

namespace calibench {

class AttemptsModel;
class Session;

/// The block at work: what was tried with it, and what else to do with it. Its fields say how the newest attempt is tuned; an
/// order changes them for this block only.
class IntervenePanel : public QWidget {
    Q_OBJECT

public:
    IntervenePanel(Session& session, RunController& controller, QWidget* parent = nullptr);

private:
    /// AutoRound's learning rates; unset: 1 / iterations, and the same for both.
    struct Rates {
        std::optional<double> lr, minmaxLr;
    };

    QWidget* makeForm();
    void apply(const RunSnapshot& snapshot);
    void readRecipe();    ///< for the rates that its attempts begin with
    void showSettings();  ///< those of the newest attempt
    void refresh();       ///< what can be done, and why not
    void showTitle();
    [[nodiscard]] QString obstacle() const;      ///< why the block cannot be redone; empty when it can
    [[nodiscard]] QString fieldProblem() const;  ///< what is wrong with the fields
    [[nodiscard]] const BlockRecord* block() const;
    [[nodiscard]] BlockOrder::Keep keep() const;
    [[nodiscard]] BlockOrder redoOrder() const;
    void redo();
    void give(const BlockOrder& order, std::optional<double> minmaxLr);
    void redoWithScheme(const std::string& preset);
    void finish();

    Session& m_session;
    RunController& m_controller;
    AttemptsModel* m_attempts;
    QLabel *m_title, *m_problem;
    QSpinBox* m_iters;
    QLineEdit *m_lr, *m_minmaxLr;
    QComboBox *m_scheme, *m_keep;
    QCheckBox* m_hold;
    QPushButton *m_redo, *m_finish, *m_pause;
    QString m_failure;  ///< why the last order could not be given
    Rates m_recipeRates, m_rates;  ///< m_rates: of the newest attempt
};

}  // namespace calibench
