#include "ui/runs/perplexity_dialog.h"

#include <QDialogButtonBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>

#include "ui/format.h"
#include "ui/settings.h"

namespace calibench {

PerplexityDialog::PerplexityDialog(const QString& runTitle, const QString& text, Settings& settings, QWidget* parent)
    : QDialog(parent), m_settings(settings), m_text(new QLineEdit), m_tokens(new QSpinBox), m_window(new QSpinBox), m_problem(new QLabel) {
    setWindowTitle(tr("Measure perplexity"));
    setAttribute(Qt::WA_DeleteOnClose);
    const EvaluationSettings last = settings.evaluation();
    m_text->setText(last.text.isEmpty() ? text : last.text);
    m_text->setMinimumWidth(360);
    m_text->setToolTip(tr("Best one that the run was not calibrated with"));
    auto* choose = new QPushButton(tr("Choose…"));
    choose->setAutoDefault(false);
    connect(choose, &QPushButton::clicked, this, &PerplexityDialog::browse);
    auto* textRow = new QHBoxLayout;
    textRow->addWidget(m_text, 1);
    textRow->addWidget(choose);
    m_tokens->setObjectName(QStringLiteral("tokens"));
    m_tokens->setRange(0, 100'000'000);
    m_tokens->setSingleStep(1024);
    m_tokens->setSpecialValueText(tr("all"));
    m_tokens->setValue(last.maxTokens);
    m_tokens->setToolTip(tr("The first so many tokens of the text"));
    m_window->setObjectName(QStringLiteral("window"));
    m_window->setRange(2, 1'000'000);
    m_window->setSingleStep(128);
    m_window->setValue(last.seqLen);
    m_window->setToolTip(tr("Tokens that are read together; each is predicted from those before it"));
    m_problem->setWordWrap(true);

    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel);
    m_measure = buttons->addButton(tr("Measure"), QDialogButtonBox::AcceptRole);
    m_measure->setObjectName(QStringLiteral("measure"));
    m_measure->setDefault(true);
    connect(buttons, &QDialogButtonBox::accepted, this, &PerplexityDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &PerplexityDialog::reject);
    auto* about = new QLabel(tr("How well the checkpoint of “%1” predicts a text, and how well the model does that it was made of.").arg(runTitle));
    about->setWordWrap(true);
    auto* form = new QFormLayout(this);
    form->setSpacing(8);
    form->addRow(about);
    form->addRow(tr("Text"), textRow);
    form->addRow(tr("Tokens"), m_tokens);
    form->addRow(tr("Window"), m_window);
    form->addRow(m_problem);
    form->addRow(buttons);
    connect(m_text, &QLineEdit::textChanged, this, &PerplexityDialog::check);
    check();
}

void PerplexityDialog::browse() {
    const QString file = QFileDialog::getOpenFileName(this, tr("Text to measure perplexity on"), m_text->text(), tr("Text (*.txt *.text *.md);;All files (*)"));
    if (!file.isEmpty()) m_text->setText(file);
}

void PerplexityDialog::check() {
    const QFileInfo text(m_text->text());
    m_problem->setText(m_text->text().isEmpty() ? tr("Choose a text.") : !text.isFile() || !text.isReadable() ? tr("%1 cannot be read.").arg(m_text->text()) : QString());
    m_measure->setEnabled(m_problem->text().isEmpty());
    m_measure->setToolTip(m_problem->text());
}

void PerplexityDialog::accept() {
    m_settings.setEvaluation({.text = m_text->text(), .maxTokens = m_tokens->value(), .seqLen = m_window->value()});
    PerplexityOptions options;
    options.text = toPath(m_text->text());
    options.max_tokens = m_tokens->value();
    options.seq_len = m_window->value();
    Q_EMIT chosen(options);
    QDialog::accept();
}

}  // namespace calibench
