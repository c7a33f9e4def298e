#include "ui/report/plot_commands.h"

#include <QApplication>
#include <QBuffer>
#include <QEvent>
#include <QFileInfo>
#include <QImage>
#include <QRegularExpression>

#include "ui/actions.h"
#include "ui/command.h"
#include "ui/format.h"
#include "ui/lens/histogram_plot.h"
#include "ui/lens/map_plot.h"
#include "ui/report/file_saver.h"
#include "ui/report/run_name.h"
#include "ui/run_controller.h"
#include "ui/session.h"

namespace calibench {

namespace {

QByteArray pngOf(const QImage& image) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    image.save(&buffer, "PNG");
    return bytes;
}

}  // namespace

PlotCommands::PlotCommands(Actions& actions, FileSaver& saver, const Session& session, const RunController& controller, QWidget* window)
    : QObject(window), m_actions(actions), m_saver(saver), m_session(session), m_controller(controller), m_plots(window->findChildren<Plot*>()) {
    for (Plot* plot : m_plots) {
        plot->installEventFilter(this);
        connect(plot, &QObject::destroyed, this, [this, plot] { m_plots.removeOne(plot); });
        connect(plot, &Plot::savePictureRequested, this, [this, plot] { savePicture(plot); });
        connect(plot, &Plot::saveNumbersRequested, this, [this, plot] { saveNumbers(plot); });
    }
    connect(qApp, &QApplication::focusChanged, this, [this](const QWidget*, const QWidget* now) {
        for (Plot* plot : m_plots)
            if (now && plot->isAncestorOf(now)) m_last = plot;
    });
    connect(m_actions.savePicture, &QAction::triggered, this, [this] {
        if (const Plot* plot = current()) savePicture(plot);
    });
    connect(m_actions.saveNumbers, &QAction::triggered, this, [this] {
        if (const Plot* plot = current()) saveNumbers(plot);
    });
    showState();
}

Plot* PlotCommands::current() const {
    if (m_last && m_last->isVisible()) return m_last;
    for (Plot* plot : m_plots)
        if (plot->isVisible()) return plot;
    return nullptr;
}

bool PlotCommands::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Show || event->type() == QEvent::Hide) showState();
    return QObject::eventFilter(watched, event);
}

void PlotCommands::showState() {
    const QString obstacle = current() ? QString() : tr("No plot is in sight.");
    for (QAction* action : {m_actions.savePicture, m_actions.saveNumbers}) allow(action, obstacle);
}

/// "20261123-135442-tiny-llama-ranges": run or model, module where the plot is of one, plot.
QString PlotCommands::nameFor(const Plot* plot) const {
    QStringList parts;
    const QString run = runName(m_controller.config().run_dir);
    parts << (run.isEmpty() ? QFileInfo(m_session.modelFolder()).fileName() : run);
    if (qobject_cast<const MapPlot*>(plot) || qobject_cast<const HistogramPlot*>(plot)) parts << m_session.selectedModule();
    parts << plot->accessibleName().toLower();
    parts.removeAll(QString());
    static const QRegularExpression awkward(QStringLiteral("[^\\w.]+"), QRegularExpression::UseUnicodePropertiesOption);
    return parts.join(QLatin1Char('-')).replace(awkward, QStringLiteral("-"));
}

void PlotCommands::savePicture(const Plot* plot) {
    static constexpr double Scales[] = {2, 1, 4};
    FileSaver::Request request{.title = tr("Save picture"), .name = nameFor(plot), .kinds = {}, .remark = {}, .prepare = {}};
    for (const double scale : Scales) {
        const QSize size = plot->pictureSize() * scale;
        request.kinds.push_back({tr("PNG picture, %1 × %2 pixels (*.png)").arg(size.width()).arg(size.height()), QStringLiteral("png")});
    }
    request.kinds.push_back({tr("SVG drawing (*.svg)"), QStringLiteral("svg")});
    request.prepare = [plot = QPointer<const Plot>(plot)](size_t kind) -> FileSaver::Work {
        if (!plot) return [] { return QByteArray(); };
        if (kind == std::size(Scales)) return [svg = plot->svg()] { return svg; };
        return [image = plot->picture(Scales[kind])] { return pngOf(image); };
    };
    m_saver.ask(std::move(request));
}

void PlotCommands::saveNumbers(const Plot* plot) {
    m_saver.ask({.title = tr("Save numbers"), .name = nameFor(plot), .kinds = {{tr("Comma-separated values (*.csv)"), QStringLiteral("csv")}},
                 .remark = plot->wholeTableIsInSight() ? tr("the cells in sight") : QString(),
                 .prepare = [plot = QPointer<const Plot>(plot)](size_t) -> FileSaver::Work {
                     if (!plot) return [] { return QByteArray(); };
                     return [table = plot->wholeTable()] { return table.csv(); };
                 }});
}

}  // namespace calibench
