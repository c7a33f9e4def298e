#include "ui/lens/readings.h"

#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/lens/error_split.h"
#include "ui/theme.h"

namespace calibench {

namespace {

QString percent(double share) { return Readings::tr("%1 %").arg(formatNumber(100 * share)); }
QString decibels(double db) { return Readings::tr("%1 dB").arg(formatNumber(db)); }

}  // namespace

Readings::Readings(QWidget* parent) : QWidget(parent), m_grid(new QGridLayout), m_heads{new QLabel, new QLabel}, m_split(new ErrorSplit) {
    m_grid->setContentsMargins(0, 0, 0, 0);
    m_grid->setHorizontalSpacing(8);
    m_grid->setVerticalSpacing(2);
    m_grid->setColumnStretch(0, 1);
    for (int i = 0; i < 2; ++i) {
        m_heads[i]->setAlignment(Qt::AlignRight);
        QFont bold = m_heads[i]->font();
        bold.setBold(true);
        m_heads[i]->setFont(bold);
        m_grid->addWidget(m_heads[i], 0, i + 1);
    }
    addRow(tr("SQNR"), tr("Signal to quantization noise ratio of the weight: 10 log10 of its sum of squares against that of its error"));
    addRow(tr("Worst group"), tr("SQNR of the group that loses most"));
    addRow(tr("Largest error"), tr("Of a single weight"));
    addRow(tr("Range use"), tr("How much of its levels a group takes, on average; a low figure means that a range was chosen too wide"));
    addRow(tr("Clipped"), tr("Share of the weights that lie more than half a step outside of their grid"));
    addRow(tr("Outliers"), tr("Largest magnitude of a group against its root mean square; the largest of all groups"));
    addRow(tr("Inputs"), tr("SQNR of the quantized inputs, answered from the run's sketch of them"));

    auto* title = new QLabel(tr("Output"));
    title->setToolTip(tr("The output's error, split into this module's own rounding and what it inherits from quantized inputs"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    layout->addLayout(m_grid);
    layout->addWidget(title);
    layout->addWidget(m_split);
}

void Readings::addRow(const QString& name, const QString& help) {
    Row row{.name = new QLabel(name), .values = {new QLabel, new QLabel}};
    const int line = static_cast<int>(m_rows.size()) + 1;
    row.name->setToolTip(help);
    m_grid->addWidget(row.name, line, 0);
    for (int i = 0; i < 2; ++i) {
        row.values[i]->setAlignment(Qt::AlignRight);
        row.values[i]->setTextInteractionFlags(Qt::TextSelectableByMouse);
        m_grid->addWidget(row.values[i], line, i + 1);
    }
    m_rows.push_back(row);
}

void Readings::set(const QString& name, int column, const QString& text, const QString& exact) {
    for (Row& row : m_rows)
        if (row.name->text() == name) {
            row.values[column]->setText(text);
            row.values[column]->setToolTip(exact);
        }
}

QString Readings::text(const QString& name, int column) const {
    for (const Row& row : m_rows)
        if (row.name->text() == name) return row.values[column]->text();
    return {};
}

void Readings::show(const Microscope& microscope) {
    const std::vector<Slide> slides = microscope.slides();
    for (int i = 0; i < 2; ++i) {
        const bool there = static_cast<size_t>(i) < slides.size();
        m_heads[i]->setText(there ? slides[static_cast<size_t>(i)].shortName() : QString());
        m_heads[i]->setVisible(there);
        for (Row& row : m_rows) row.values[i]->setVisible(there);
        if (!there) continue;
        const WeightFacts& facts = slides[static_cast<size_t>(i)].weight->facts();
        set(tr("SQNR"), i, decibels(facts.sqnr_db), formatExact(facts.sqnr_db));
        set(tr("Worst group"), i, decibels(facts.worst_group_sqnr_db), formatExact(facts.worst_group_sqnr_db));
        set(tr("Largest error"), i, formatNumber(facts.max_abs_error),
            tr("%1 at row %2, column %3").arg(formatExact(facts.max_abs_error)).arg(facts.max_error_row).arg(facts.max_error_column));
        set(tr("Range use"), i, percent(facts.range_use), tr("%1; the worst group %2").arg(formatExact(facts.range_use), formatExact(facts.worst_range_use)));
        set(tr("Clipped"), i, percent(facts.clipped_share), formatExact(facts.clipped_share));
        set(tr("Outliers"), i, tr("%1 ×").arg(formatNumber(facts.outlier_ratio)), formatExact(facts.outlier_ratio));
        const bool asked = slides[static_cast<size_t>(i)].kind == Slide::Kind::WhatIf;
        const InputView& inputs = asked ? microscope.inputAsked() : microscope.inputNow();
        if (inputs.answer)
            set(tr("Inputs"), i, tr("%1 ± %2 dB").arg(formatNumber(inputs.answer->sqnr_db), formatNumber(inputs.answer->sqnr_error_db)),
                tr("SQNR %1 dB, off by %2 dB at most; clipped %3 %, off by %4 % at most")
                    .arg(formatExact(inputs.answer->sqnr_db), formatExact(inputs.answer->sqnr_error_db), formatExact(100 * inputs.answer->clipped_share),
                         formatExact(100 * inputs.answer->clipped_error)));
        else
            set(tr("Inputs"), i, tr("–"), inputs.problem);
    }
    const bool inputs = microscope.inputNow().answer || microscope.inputAsked().answer || !microscope.inputNow().problem.isEmpty();
    m_rows.back().name->setVisible(inputs);
    for (int i = 0; i < 2; ++i) m_rows.back().values[i]->setVisible(inputs && static_cast<size_t>(i) < slides.size());
    m_split->show(microscope.output());
}

}  // namespace calibench
