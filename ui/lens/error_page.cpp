#include "ui/lens/error_page.h"

#include <QLabel>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <chrono>
#include <utility>

#include "ui/format.h"
#include "ui/lens/channel_list.h"
#include "ui/lens/map_plot.h"
#include "ui/lens/readings.h"
#include "ui/lens/what_if_panel.h"
#include "ui/panels/page_parts.h"
#include "ui/panels/state_page.h"
#include "ui/run_controller.h"
#include "ui/session.h"
#include "ui/theme.h"

namespace calibench {

using namespace std::chrono_literals;

namespace {

constexpr int Bins = 200;
constexpr int BinsOfFew = 48;
constexpr int64_t Few = 4000;  // values, below which many bins are a comb

/// Whether a recipe can quantize it: blocks, norms and routers cannot be looked at.
const ModuleInfo* findMatrix(const ModelSummary& model, const QString& name) {
    const std::string wanted = name.toStdString();
    const auto found = std::find_if(model.modules.begin(), model.modules.end(), [&](const ModuleInfo& module) { return module.name == wanted; });
    return found == model.modules.end() || found->shape.size() != 2 ? nullptr : &*found;
}

}  // namespace

ErrorPage::ErrorPage(Session& session, const RunController& controller, QWidget* parent)
    : QWidget(parent), m_session(session), m_controller(controller), m_microscope(session.services()), m_title(new QLabel), m_problem(new QLabel),
      m_map(new MapPlot), m_histograms(new HistogramPlot), m_readings(new Readings), m_channels(new ChannelList), m_whatIfButton(new QToolButton),
      m_whatIf(new WhatIfPanel(session, controller, m_microscope)) {
    m_page = new StatePage(makeContent());
    fill(this, {m_page});

    connect(&m_microscope, &Microscope::changed, this, &ErrorPage::showState);
    connect(&m_session, &Session::selectionChanged, this, &ErrorPage::look);
    connect(&m_session, &Session::modelChanged, this, &ErrorPage::look);
    connect(&m_session, &Session::recipeChecked, this, &ErrorPage::look);
    connect(&m_controller, &RunController::recordCleared, this, &ErrorPage::look);
    connect(&m_controller, &RunController::stateChanged, this, &ErrorPage::look);
    connect(&m_controller, &RunController::snapshotArrived, this, [this](const RunSnapshot& snapshot) {
        if (!snapshot.blocksFinished.empty()) look();
    });
    connect(m_map, &MapPlot::valueClicked, this, &ErrorPage::pickGroup);
    connect(m_map, &MapPlot::tilesArrived, this, [this] {
        if (m_histograms->scope() == HistogramPlot::Scope::InSight) askForValues();
    });
    connect(m_histograms, &HistogramPlot::scopeChanged, this, &ErrorPage::askForValues);
    connect(m_channels, &ChannelList::rowPicked, m_map, &MapPlot::zoomToRow);
    connect(m_channels, &ChannelList::columnPicked, m_map, &MapPlot::zoomToColumn);
    connect(m_whatIfButton, &QToolButton::toggled, this, &ErrorPage::showWhatIf);
    m_patience.setSingleShot(true);
    m_patience.setInterval(150ms);
    connect(&m_patience, &QTimer::timeout, this, [this] {
        if (m_microscope.state() == Microscope::State::Loading && m_microscope.specimen())
            m_page->showLoading(tr("Reading %1").arg(QString::fromStdString(m_microscope.specimen()->module)));
    });
    showEmpty();
}

QWidget* ErrorPage::makeContent() {
    m_title->setTextFormat(Qt::PlainText);
    m_title->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_problem->setWordWrap(true);
    m_problem->setContentsMargins(12, 0, 8, 4);
    m_problem->hide();
    m_whatIfButton->setText(tr("What if…"));
    m_whatIfButton->setIcon(symbolicIcon(QStringLiteral("lamp")));
    m_whatIfButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_whatIfButton->setCheckable(true);
    m_whatIfButton->setAutoRaise(true);
    m_whatIfButton->setShortcut(Qt::ALT | Qt::Key_W);
    m_whatIfButton->setToolTip(tr("Try another observer, number of bits or group size without a run (%1)").arg(m_whatIfButton->shortcut().toString(QKeySequence::NativeText)));
    m_whatIfButton->setAccessibleName(tr("What if"));
    m_whatIf->hide();
    m_whatIf->setAutoFillBackground(true);
    m_whatIf->setBackgroundRole(QPalette::Window);  // on which the controls can be seen

    for (QWidget* plot : std::initializer_list<QWidget*>{m_map, m_histograms}) plot->setMinimumWidth(400);  // choices above them may be squeezed rather than the window widened
    auto* plots = new QSplitter(Qt::Vertical);
    plots->addWidget(m_map);
    plots->addWidget(m_histograms);
    plots->setStretchFactor(0, 3);
    plots->setStretchFactor(1, 2);
    auto* side = new QWidget;
    auto* sideLayout = new QVBoxLayout(side);
    sideLayout->setContentsMargins(8, 8, 8, 8);
    sideLayout->setSpacing(8);
    sideLayout->addWidget(m_readings);
    sideLayout->addWidget(m_channels, 1);
    auto* parts = new QSplitter(Qt::Horizontal);
    parts->addWidget(plots);
    parts->addWidget(side);
    parts->setStretchFactor(0, 1);
    parts->setStretchFactor(1, 0);
    for (QSplitter* splitter : {plots, parts}) {
        splitter->setChildrenCollapsible(true);
        splitter->setHandleWidth(3);
    }
    const int digit = fontMetrics().horizontalAdvance(QLatin1Char('0'));
    parts->setSizes({104 * digit, 32 * digit});
    return makePage({makeBar({m_title, m_whatIfButton}), m_whatIf, m_problem, parts});
}

void ErrorPage::look() {
    if (!isVisible()) {  // read when shown; what another module needed is given back now
        if (m_microscope.specimen() && m_microscope.specimen()->module != m_session.selectedModule().toStdString()) m_microscope.clear();
        return;
    }
    const bool ready = m_session.modelState() == Session::ModelState::Ready;
    if (ready && m_session.checkingRecipe()) return;  // recipeChecked() is about to come
    if (!ready || !findMatrix(m_session.model(), m_session.selectedModule())) {
        m_microscope.clear();
        showEmpty();
        return;
    }
    m_microscope.show(specimenOf(m_session.selectedModule(), m_session, m_controller));
}

void ErrorPage::showEmpty() {
    const auto& resolved = m_session.resolvedModules();
    if (resolved.empty()) {
        m_page->showEmpty(tr("What quantization does to a module will show here, once a recipe quantizes one."));
        return;
    }
    const std::string within = m_session.selectedModule().toStdString() + '.';
    const auto inside = std::find_if(resolved.begin(), resolved.end(), [&](const ResolvedModule& module) { return module.name.starts_with(within); });
    const QString first = QString::fromStdString((inside == resolved.end() ? resolved.front() : *inside).name);
    m_page->showEmpty(tr("Choose a module in the tree, in a plot or in the overview to see what quantization does to it."), tr("Show %1").arg(first),
                      [this, first] { m_session.selectModule(first); });
}

void ErrorPage::showState() {
    switch (m_microscope.state()) {
        case Microscope::State::Empty:
            m_map->setSlides({});
            m_channels->setSlide({});
            m_values.forget();
            return;
        case Microscope::State::Loading:
            if (m_microscope.specimen()->module != m_shown) m_map->setSlides({});  // else the view stays as it is zoomed
            m_channels->setSlide({});
            m_values.forget();
            m_patience.start();
            return;
        case Microscope::State::Failed:
            m_page->showEmpty(m_microscope.error(), tr("Try again"), [this] { look(); });
            return;
        case Microscope::State::Ready: showSlides();
    }
}

void ErrorPage::showSlides() {
    m_patience.stop();
    const Specimen& specimen = *m_microscope.specimen();
    const QString name = QString::fromStdString(specimen.module);
    const std::vector<Slide> slides = m_microscope.slides();
    m_problem->setText(m_microscope.problem());
    m_problem->setVisible(!m_microscope.problem().isEmpty());
    m_whatIf->refresh();
    if (slides.empty() && m_microscope.question()) return;  // the answer is on its way
    if (slides.empty()) {
        m_page->showEmpty(m_microscope.problem().isEmpty() ? tr("%1 stays as it is: the recipe does not quantize it.").arg(name) : m_microscope.problem(),
                          tr("What if it were quantized"), [this] {
                              showWhatIf(true);
                              m_whatIf->ask();
                          });
        return;
    }
    const WeightFacts& facts = slides.back().weight->facts();
    m_title->setText(tr("%1 · %2").arg(name, formatShape({facts.rows, facts.columns})));
    m_title->setToolTip(name);
    if (std::exchange(m_shown, specimen.module) != specimen.module) m_picked.reset();
    m_map->setSlides(slides);
    m_channels->setSlide(slides.back());
    m_readings->show(m_microscope);
    m_page->showContent();
    showInputs();
    askForValues();
}

ErrorPage::Place ErrorPage::shownPlace() const {
    if (m_picked) return *m_picked;
    const WeightFacts& facts = m_microscope.slides().back().weight->facts();
    return {facts.max_error_row, facts.max_error_column};
}

Extent ErrorPage::groupAt(const Place& place) const {
    const WeightFacts& facts = m_microscope.slides().front().weight->facts();
    const int64_t height = std::max<int64_t>(1, facts.group_rows), width = std::max<int64_t>(1, facts.group_columns);
    const int64_t row = place.row / height * height, column = place.column / width * width;
    return {.row = row, .column = column, .rows = std::min(height, facts.rows - row), .columns = std::min(width, facts.columns - column)};
}

void ErrorPage::pickGroup(int64_t row, int64_t column) {
    if (m_microscope.slides().empty()) return;
    m_picked = Place{row, column};
    m_map->setMarked(groupAt(*m_picked));
    askForValues();
}

ErrorPage::Values ErrorPage::valuesOf(const std::vector<Slide>& slides, HistogramPlot::Scope scope, const Extent& part, const Extent& group) {
    Values values;
    const Extent& counted = scope == HistogramPlot::Scope::Group ? group : part;
    const int bins = counted.rows * counted.columns < Few ? BinsOfFew : Bins;
    values.histogram = slides.front().weight->histogram(WeightLayer::Weight, bins, counted);
    for (const Slide& slide : slides) {
        std::optional<ValueGrid> grid = groupGrid(*slide.weight, group.row, group.column);
        if (!grid) continue;
        if (scope != HistogramPlot::Scope::Group)
            if (const auto all = reachOfAllGroups(*slide.weight)) {
                grid->low = all->low;
                grid->high = all->high;
            }
        const WeightFacts& facts = slide.weight->facts();
        const auto levels = static_cast<int>(grid->levels.size());
        grid->name = facts.num_groups > 1 ? tr("%1: %n level(s) at %2, %3", nullptr, levels).arg(slide.shortName()).arg(group.row).arg(group.column)
                                          : tr("%1: %n level(s)", nullptr, levels).arg(slide.shortName());
        values.grids.push_back(std::move(*grid));
    }
    return values;
}

void ErrorPage::askForValues() {
    const std::vector<Slide> slides = m_microscope.slides();
    if (slides.empty()) return;
    const HistogramPlot::Scope scope = m_histograms->scope();
    const WeightFacts& facts = slides.front().weight->facts();
    const Extent part = scope == HistogramPlot::Scope::InSight ? m_map->seen() : Extent{.row = 0, .column = 0, .rows = facts.rows, .columns = facts.columns};
    const Extent group = groupAt(shownPlace());
    const QString what = scope == HistogramPlot::Scope::Group ? tr("Weights of the group") : scope == HistogramPlot::Scope::InSight ? tr("Weights in sight") : tr("Weights");
    m_values.ask([slides, scope, part, group] { return valuesOf(slides, scope, part, group); }, [this, what](Outcome<Values> outcome) {
        if (outcome.value)
            m_histograms->show(HistogramPlot::Weights, ValueDistribution{std::move(outcome.value->histogram), what, std::move(outcome.value->grids)});
    });
}

void ErrorPage::showInputs() {
    const InputInspection* input = m_microscope.input();
    if (!input) {
        m_histograms->show(HistogramPlot::Inputs, {});
        return;
    }
    ValueDistribution shown{.histogram = input->facts().histogram, .what = tr("Inputs of %1 tokens").arg(formatCount(input->facts().num_tokens)), .grids = {}};
    const auto add = [&](const std::optional<QuantizationArgs>& args, const InputView& view, const QString& name) {
        if (!args || !view.answer) return;
        if (auto grid = inputGrid(*args, *view.answer)) {
            grid->name = name;
            shown.grids.push_back(std::move(*grid));
        }
    };
    if (m_microscope.specimen()->scheme) add(m_microscope.specimen()->scheme->input_activations, m_microscope.inputNow(), tr("As the recipe says"));
    if (m_microscope.question()) add(m_microscope.question()->inputs, m_microscope.inputAsked(), tr("What if"));
    m_histograms->show(HistogramPlot::Inputs, shown);
}

void ErrorPage::showWhatIf(bool shown) {
    m_whatIfButton->setChecked(shown);
    m_whatIf->setVisible(shown);
    if (!shown) m_whatIf->reset();  // what is not seen is not asked
}

bool ErrorPage::settled() const { return m_microscope.state() != Microscope::State::Loading && !m_microscope.busy() && !m_values.busy() && !m_map->busy() && !m_whatIf->busy(); }

void ErrorPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    look();
}

}  // namespace calibench
