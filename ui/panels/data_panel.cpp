#include "ui/panels/data_panel.h"

#include <QComboBox>
#include <QCompleter>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/format.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

DataPanel::DataPanel(Session& session, QWidget* parent)
    : QWidget(parent), m_session(session), m_file(new QComboBox), m_note(new QLabel) {
    m_file->setEditable(true);
    m_file->setInsertPolicy(QComboBox::NoInsert);
    m_file->setCompleter(nullptr);
    m_file->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_file->setMinimumContentsLength(8);
    m_file->lineEdit()->setPlaceholderText(tr("Text or JSONL file"));
    m_file->lineEdit()->setAccessibleName(tr("Calibration text"));
    m_file->setAccessibleName(tr("Calibration text"));
    auto* browse = new QToolButton;
    browse->setIcon(symbolicIcon(QStringLiteral("open")));
    browse->setToolTip(tr("Choose the calibration text"));
    browse->setAccessibleName(tr("Choose the calibration text"));
    connect(browse, &QToolButton::clicked, this, &DataPanel::browseRequested);
    connect(m_file->lineEdit(), &QLineEdit::editingFinished, this, &DataPanel::publish);
    connect(m_file, &QComboBox::activated, this, [this](int row) {
        const QList<DataSettings> known = m_session.datasets();
        if (row < known.size()) m_session.setData(known[row]);
    });
    auto* fileRow = new QHBoxLayout;
    fileRow->setSpacing(4);
    fileRow->addWidget(m_file, 1);
    fileRow->addWidget(browse);

    auto* left = new QFormLayout;
    auto* right = new QFormLayout;
    m_numSamples = addNumber(left, tr("Samples"), tr("Number of sequences cut from the text"), 1, 1'000'000);
    m_seqLen = addNumber(left, tr("Length"), tr("Tokens in each sequence"), 2, 1'000'000);
    m_seed = addNumber(left, tr("Seed"), tr("Same seed, same samples, same result"), 0, 2'147'483'647);
    m_iters = addNumber(right, tr("Iterations"), tr("AutoRound steps per block, in place of the recipe's; 0 rounds to nearest"), -1, 100'000);
    m_batchSize = addNumber(right, tr("Batch"), tr("Sequences per step, in place of the recipe's; smaller needs less memory"), 0, 4096);
    m_iters->setSpecialValueText(tr("recipe"));
    m_batchSize->setSpecialValueText(tr("recipe"));

    m_note->setWordWrap(true);
    auto* numbers = new QHBoxLayout;
    numbers->setSpacing(16);
    numbers->addLayout(left, 1);
    numbers->addLayout(right, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addLayout(fileRow);
    layout->addLayout(numbers);
    layout->addWidget(m_note);
    layout->addStretch();

    connect(&m_session, &Session::dataChanged, this, &DataPanel::showData);
    showData();
}

QSpinBox* DataPanel::addNumber(QFormLayout* form, const QString& label, const QString& help, int low, int high) {
    auto* box = new QSpinBox;
    box->setRange(low, high);
    box->setToolTip(help);
    box->setAccessibleName(label);
    box->setKeyboardTracking(false);
    box->setMinimumWidth(72);
    box->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    form->setHorizontalSpacing(8);
    form->setVerticalSpacing(4);
    form->addRow(label, box);
    form->labelForField(box)->setToolTip(help);
    connect(box, &QSpinBox::valueChanged, this, &DataPanel::publish);
    return box;
}

void DataPanel::publish() {
    m_session.setData({.file = m_file->currentText().trimmed(), .numSamples = m_numSamples->value(), .seqLen = m_seqLen->value(),
                       .seed = m_seed->value(), .iters = m_iters->value(), .batchSize = m_batchSize->value() == 0 ? -1 : m_batchSize->value()});
}

void DataPanel::showData() {
    const DataSettings data = m_session.data();
    const auto set = [](QSpinBox* box, int value) {
        const QSignalBlocker blocker(box);
        box->setValue(value);
    };
    {
        const QSignalBlocker blocker(m_file);
        m_file->clear();
        for (const DataSettings& known : m_session.datasets()) m_file->addItem(known.file);
        m_file->setEditText(data.file);
    }
    m_file->setToolTip(data.file.isEmpty() ? tr("The text or JSONL file to calibrate with") : data.file);
    set(m_numSamples, data.numSamples);
    set(m_seqLen, data.seqLen);
    set(m_seed, data.seed);
    set(m_iters, data.iters);
    set(m_batchSize, data.batchSize < 0 ? 0 : data.batchSize);

    const QString problem = m_session.dataProblem();
    const auto tokens = static_cast<int64_t>(data.numSamples) * data.seqLen;
    m_note->setText(problem.isEmpty() ? tr("%1 of text; uses %2 tokens")
                                            .arg(formatBytes(static_cast<double>(QFileInfo(data.file).size())), formatCount(tokens))
                                      : problem);
    QPalette colours = palette();
    colours.setColor(QPalette::WindowText, problem.isEmpty() || data.file.isEmpty() ? mutedText(colours) : errorColour(colours));
    m_note->setPalette(colours);
}

}  // namespace calibench
