#pragma once

#include <QTimer>
#include <QWidget>

#include <optional>

#include "ui/latest_task.h"
#include "ui/lens/histogram_plot.h"
#include "ui/lens/microscope.h"

class QLabel;
class QToolButton;

namespace calibench {

class ChannelList;
class MapPlot;
class Readings;
class RunController;
class Session;
class StatePage;
class WhatIfPanel;

/// The microscope's tab: what quantization does to the selected module, before, during and after a run.
class ErrorPage : public QWidget {
    Q_OBJECT

public:
    ErrorPage(Session& session, const RunController& controller, QWidget* parent = nullptr);

    [[nodiscard]] Microscope& microscope() { return m_microscope; }
    [[nodiscard]] MapPlot* map() const { return m_map; }
    [[nodiscard]] HistogramPlot* histograms() const { return m_histograms; }
    [[nodiscard]] ChannelList* channels() const { return m_channels; }
    [[nodiscard]] Readings* readings() const { return m_readings; }
    [[nodiscard]] WhatIfPanel* whatIf() const { return m_whatIf; }
    void showWhatIf(bool shown);
    /// Nothing is on its way any more: for tests and pictures.
    [[nodiscard]] bool settled() const;

protected:
    void showEvent(QShowEvent* event) override;

private:
    struct Values {
        ValueHistogram histogram;
        std::vector<ValueGrid> grids;
    };
    struct Place {
        int64_t row = 0, column = 0;
        bool operator==(const Place&) const = default;
    };

    QWidget* makeContent();
    void look();         ///< at the selected module as things stand
    void showState();
    void showEmpty();
    void showSlides();
    void pickGroup(int64_t row, int64_t column);
    void askForValues();
    void showInputs();
    [[nodiscard]] Extent groupAt(const Place& place) const;
    [[nodiscard]] Place shownPlace() const;
    [[nodiscard]] static Values valuesOf(const std::vector<Slide>& slides, HistogramPlot::Scope scope, const Extent& part, const Extent& group);

    Session& m_session;
    const RunController& m_controller;
    Microscope m_microscope;
    StatePage* m_page = nullptr;
    QLabel *m_title, *m_problem;
    MapPlot* m_map;
    HistogramPlot* m_histograms;
    Readings* m_readings;
    ChannelList* m_channels;
    std::optional<Place> m_picked;  ///< a weight of the group whose levels are shown; unset: the one of the largest error
    std::string m_shown;            ///< module of m_picked
    QToolButton* m_whatIfButton;
    WhatIfPanel* m_whatIf;
    QTimer m_patience;              ///< before it is said that something is on its way
    LatestTask m_values;
};

}  // namespace calibench
