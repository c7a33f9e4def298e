#include <QImage>
#include <QMenu>
#include <QPointer>
#include <QXmlStreamReader>

#include "tests/ui/save_dialog.h"
#include "ui/actions.h"
#include "ui/lens/error_page.h"
#include "ui/lens/histogram_plot.h"
#include "ui/lens/map_plot.h"
#include "ui/overview/overview_map.h"
#include "ui/overview/overview_page.h"
#include "ui/palette/palette_entries.h"
#include "ui/panels/plots_page.h"
#include "ui/plots/loss_plot.h"
#include "ui/plots/range_plot.h"
#include "ui/plots/token_plot.h"
#include "ui/report/plot_commands.h"

using namespace calibench;
using namespace calibench::test;

namespace {

/// RFC 4180, to the letter; an empty list where the text breaks it.
QList<QStringList> parseCsv(const QByteArray& text) {
    QList<QStringList> rows;
    QStringList row;
    QByteArray cell;
    bool quoted = false;
    for (qsizetype i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c != '"') cell += c;
            else if (i + 1 < text.size() && text[i + 1] == '"') cell += text[++i];
            else quoted = false;
        } else if (c == '"') {
            if (!cell.isEmpty()) return {};
            quoted = true;
        } else if (c == ',') {
            row << QString::fromUtf8(std::exchange(cell, {}));
        } else if (c == '\r') {
            if (i + 1 >= text.size() || text[++i] != '\n') return {};
            row << QString::fromUtf8(std::exchange(cell, {}));
            rows << std::exchange(row, {});
        } else if (c == '\n') {
            return {};
        } else {
            cell += c;
        }
    }
    return quoted || !cell.isEmpty() || !row.isEmpty() ? QList<QStringList>() : rows;
}

struct SvgPicture {
    explicit SvgPicture(const QByteArray& svg) {
        QXmlStreamReader reader(svg);
        while (!reader.atEnd()) {
            reader.readNext();
            if (reader.isStartElement()) elements << reader.name().toString();
            if (reader.isCharacters() && !reader.isWhitespace()) texts << reader.text().toString().trimmed();
        }
        valid = !reader.hasError() && elements.value(0) == QLatin1String("svg");
    }
    bool valid = false;
    QStringList elements, texts;
};

}  // namespace

/// Saving plots through the window's own commands and dialogs.
class TestPlotExport : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        failOnAnyWarning();
        m_folder = std::make_unique<WindowFolder>();
    }

    void csvKeepsEveryCell() {
        const PlotTable table{.header = {"Module", "SQNR, dB"}, .rows = {{"a,b", "1"}, {"say \"x\"", "2\n3"}, {"", "ü"}}};
        QCOMPARE(table.csv(), QByteArray("Module,\"SQNR, dB\"\r\n\"a,b\",1\r\n\"say \"\"x\"\"\",\"2\n3\"\r\n,ü\r\n"));
        QCOMPARE(parseCsv(table.csv()), QList<QStringList>({table.header}) + table.rows);
    }

    void commandsSayWhenThereIsNoPlot() {
        TestWindow w(*m_folder);
        Actions& actions = w->actions();
        for (const QAction* action : {actions.savePicture, actions.saveNumbers}) {
            QVERIFY(!action->isEnabled());
            QVERIFY2(action->toolTip().contains(QStringLiteral("No plot is in sight.")), qPrintable(action->toolTip()));
        }
        run(w);
        QVERIFY(actions.savePicture->isEnabled() && actions.saveNumbers->isEnabled());
        QVERIFY(!actions.savePicture->toolTip().contains(QStringLiteral("No plot")));
        QStringList titles;
        for (const PaletteEntry& entry : paletteEntries(*w.window, w.settings, m_folder->path())) titles << entry.title;
        QCOMPARE(titles.filter(QStringLiteral("Save plot as")).size(), 2);
        w->plots()->setCurrentTab(PlotsPage::Error);
        QTRY_VERIFY(w->plots()->errorPage()->settled());
    }

    void picturesHaveTheSizeAskedFor_data() {
        QTest::addColumn<int>("scale");
        for (const int scale : {1, 2, 4}) QTest::addRow("%d times", scale) << scale;
    }
    void picturesHaveTheSizeAskedFor() {
        QFETCH(int, scale);
        TestWindow w(*m_folder);
        run(w);
        const auto* plot = w->findChild<RangePlot*>();
        const QSize size = plot->pictureSize() * scale;
        const QString file = m_folder->file("ranges.png");
        const QString said = saveBy(w, w->actions().savePicture, file, QStringLiteral("PNG picture, %1 ×").arg(size.width()));
        QVERIFY2(said.contains(QStringLiteral("Saved")), qPrintable(said));
        const QImage image(file);
        QCOMPARE(image.size(), size);
        QSet<QRgb> colours;
        for (int y = 0; y < image.height(); y += 3)
            for (int x = 0; x < image.width(); x += 3) colours << image.pixel(x, y);
        QVERIFY(colours.size() > 3);
    }

    void drawingsHaveTheirAxesAndNoPictures_data() {
        QTest::addColumn<int>("tab");
        QTest::addColumn<QStringList>("labels");
        QTest::newRow("ranges") << int(PlotsPage::Ranges) << QStringList{"Weight", "Input"};
        QTest::newRow("tokens") << int(PlotsPage::Tokens) << QStringList{"Tokens seen"};
        QTest::newRow("loss") << int(PlotsPage::Loss) << QStringList{"Block", "Iteration", "Loss of block 1", "First, best"};
        QTest::newRow("overview") << int(PlotsPage::Overview) << QStringList{"Block", "q_proj"};
    }
    void drawingsHaveTheirAxesAndNoPictures() {
        QFETCH(int, tab);
        QFETCH(QStringList, labels);
        TestWindow w(*m_folder);
        run(w);
        w->plots()->setCurrentTab(tab);
        if (tab == PlotsPage::Overview) QTRY_VERIFY(!w->plots()->overviewPage()->loader().busy() && w->plots()->overviewPage()->loader().countKnown() > 0);
        const QString said = saveBy(w, w->actions().savePicture, m_folder->file("plot.svg"), QStringLiteral("SVG"));
        QVERIFY2(said.contains(QStringLiteral("Saved")), qPrintable(said));
        const SvgPicture drawing(m_folder->read("plot.svg"));
        QVERIFY(drawing.valid);
        for (const QString& label : labels) QVERIFY2(!drawing.texts.filter(label).isEmpty(), qPrintable(label + " is not among " + drawing.texts.join(" | ")));
        QCOMPARE(drawing.elements.count(QStringLiteral("image")), tab == PlotsPage::Overview ? 1 : 0);  // the scale of its colours
        QVERIFY(drawing.elements.count(QStringLiteral("path")) + drawing.elements.count(QStringLiteral("rect")) + drawing.elements.count(QStringLiteral("polyline")) +
                    drawing.elements.count(QStringLiteral("polygon")) + drawing.elements.count(QStringLiteral("circle")) + drawing.elements.count(QStringLiteral("ellipse")) > 5);
    }

    void numbersAreAllOfThemHoweverFarInOneIsZoomed() {
        TestWindow w(*m_folder);
        run(w);
        w->plots()->setCurrentTab(PlotsPage::Loss);
        auto* plot = w->findChild<LossPlot*>();
        plot->findChild<QCustomPlot*>()->setFocus();
        for (int i = 0; i < 8; ++i) QTest::keyClick(plot->findChild<QCustomPlot*>(), Qt::Key_Plus);
        QVERIFY(plot->table().rows.size() < 3);
        const QString said = saveBy(w, w->actions().saveNumbers, m_folder->file("losses.csv"));
        QVERIFY2(said.contains(QStringLiteral("Saved")), qPrintable(said));
        const QList<QStringList> rows = parseCsv(m_folder->read("losses.csv"));
        QCOMPARE(rows.size(), 1 + 2 * 3);
        QCOMPARE(rows[0], QStringList({"Block", "Attempt", "Counts", "Iteration", "Loss (mean squared error)"}));
        for (int block = 0; block < 2; ++block)
            for (int i = 0; i < 3; ++i) {
                const QStringList& row = rows[1 + 3 * block + i];
                QCOMPARE(row[0].toInt(), block);
                QCOMPARE(row[3].toInt(), i);
                QCOMPARE(row[4].toDouble(), 1e-4 / (i + 1));  // as the fake run told it
            }
    }

    void everyPlotsNumbersAreItsTable_data() {
        QTest::addColumn<int>("tab");
        QTest::newRow("ranges") << int(PlotsPage::Ranges);
        QTest::newRow("tokens") << int(PlotsPage::Tokens);
        QTest::newRow("error") << int(PlotsPage::Error);
        QTest::newRow("overview") << int(PlotsPage::Overview);
    }
    void everyPlotsNumbersAreItsTable() {
        QFETCH(int, tab);
        CoreServices core = fakeCore();
        core.resolveRecipe = [resolve = core.resolveRecipe](const Recipe& recipe, const ModelSummary& model) {
            ResolvedRecipe resolved = resolve(recipe, model);
            for (ResolvedModule& module : resolved.modules) module.scheme.weights = QuantizationArgs{.num_bits = 4, .group_size = 8, .strategy = Strategy::Group};
            return resolved;
        };
        TestWindow w(m_folder->path(), core);
        run(w);
        w->session().selectModule(QStringLiteral("model.layers.0.self_attn.q_proj"));
        w->plots()->setCurrentTab(tab);
        QTRY_VERIFY(w->plots()->errorPage()->settled() && !w->plots()->overviewPage()->loader().busy());
        const auto inSight = [&w] {
            QList<Plot*> plots = w->findChildren<Plot*>();
            plots.removeIf([](const Plot* plot) { return !plot->isVisible(); });
            return plots;
        };
        QTRY_COMPARE(inSight().size(), tab == PlotsPage::Error ? 2 : 1);
        QTRY_VERIFY(w->plots()->errorPage()->settled());
        for (Plot* plot : inSight()) {
            const QByteArray name = plot->accessibleName().toLatin1() + ".csv";
            w->activateWindow();
            QVERIFY(QTest::qWaitForWindowActive(w.window.get()));
            plot->setFocus();
            QTRY_VERIFY(plot->isAncestorOf(QApplication::focusWidget()));
            const QString said = saveBy(w, w->actions().saveNumbers, m_folder->file(name));
            QVERIFY2(said.contains(QStringLiteral("Saved")), qPrintable(said));
            QCOMPARE(said.contains(QStringLiteral("in sight")), qobject_cast<MapPlot*>(plot) != nullptr);
            const PlotTable table = plot->wholeTable();
            QVERIFY(!table.rows.isEmpty());
            QCOMPARE(parseCsv(m_folder->read(name)), QList<QStringList>({table.header}) + table.rows);
            for (const QStringList& row : table.rows) QCOMPARE(row.size(), table.header.size());
        }
    }

    void theNameIsProposedAndTheFolderRemembered() {
        TestWindow w(*m_folder);
        run(w);
        w->actions().saveNumbers->trigger();
        auto* dialog = w->findChild<QFileDialog*>();
        const QString proposed = dialog->findChild<QLineEdit*>()->text();
        QVERIFY2(proposed.endsWith(QStringLiteral("tiny-ranges.csv")) && proposed.size() > 20, qPrintable(proposed));
        dialog->reject();
        QTRY_VERIFY(!w->findChild<QFileDialog*>());
        QDir(m_folder->path()).mkpath(QStringLiteral("plots"));
        QVERIFY(saveBy(w, w->actions().saveNumbers, m_folder->file("plots/ranges.csv")).contains(QStringLiteral("Saved")));
        w->actions().savePicture->trigger();
        QCOMPARE(w->findChild<QFileDialog*>()->directory().canonicalPath(), QDir(m_folder->file("plots")).canonicalPath());
        w->findChild<QFileDialog*>()->reject();
    }

    void thePlotsOwnMenuSavesToo() {
        TestWindow w(*m_folder);
        run(w);
        auto* plot = w->findChild<RangePlot*>();
        QContextMenuEvent event(QContextMenuEvent::Keyboard, QPoint(50, 50), plot->mapToGlobal(QPoint(50, 50)));
        QApplication::sendEvent(plot, &event);
        const QPointer<QMenu> menu = plot->findChild<QMenu*>();
        QVERIFY(menu);
        QAction* save = nullptr;
        for (QAction* action : menu->actions())
            if (action->text().startsWith(QStringLiteral("Save numbers"))) save = action;
        QVERIFY(save);
        QVERIFY(saveBy(w, save, m_folder->file("own.csv")).contains(QStringLiteral("Saved")));
        QCOMPARE(parseCsv(m_folder->read("own.csv")).size(), 1 + plot->wholeTable().rows.size());
        if (menu) menu->close();
    }

    void whatCannotBeWrittenIsOneSentenceAndLeavesNothing() {
        TestWindow w(*m_folder);
        run(w);
        m_folder->write("file", "no folder");
        const QStringList before = QDir(m_folder->path()).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot);
        QSignalSpy ended(&w->saver(), &FileSaver::ended);
        w->saver().save(m_folder->file("file/plot.png"), [] { return QByteArray("bytes"); });
        QVERIFY(ended.wait(5000));
        QVERIFY(w->messages()->kind() == MessageBar::Kind::Error);
        const QString said = w->messages()->text();
        QVERIFY2(said.contains(QStringLiteral("plot.png cannot be written")) && !said.contains(QLatin1Char('\n')), qPrintable(said));
        w->saver().save(m_folder->path(), [] { return QByteArray("bytes"); });  // a directory
        QVERIFY(ended.wait(5000));
        QVERIFY(w->messages()->kind() == MessageBar::Kind::Error);
        QCOMPARE(QDir(m_folder->path()).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot), before);
    }

private:
    void run(TestWindow& w) {
        openAll(w, *m_folder);
        w->startRun();
        QTRY_VERIFY(w->controller().state() == RunController::State::Done);
        QTRY_VERIFY(w->findChild<RangePlot*>()->isVisible());
    }

    std::unique_ptr<WindowFolder> m_folder;
};

QTEST_MAIN(TestPlotExport)
#include "tst_plot_export.moc"
