#pragma once

#include <QDialog>

#include "core/evaluation/perplexity.h"

class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;

namespace calibench {

class Settings;

/// Asks on what text, and on how much of it, perplexity is to be measured. The answer is remembered.
class PerplexityDialog : public QDialog {
    Q_OBJECT

public:
    /// `text`: proposed when none was used before. `settings` must outlive the dialog.
    PerplexityDialog(const QString& runTitle, const QString& text, Settings& settings, QWidget* parent);

Q_SIGNALS:
    void chosen(const calibench::PerplexityOptions& options);

private:
    void browse();
    void check();
    void accept() override;

    Settings& m_settings;
    QLineEdit* m_text;
    QSpinBox *m_tokens, *m_window;
    QLabel* m_problem;
    QPushButton* m_measure = nullptr;
};

}  // namespace calibench
