#include <QRegularExpression>
#include <QTest>
#include <QXmlStreamReader>

#include <cmath>

#include "core/report/axis_map.h"
#include "core/report/figure.h"
#include "core/report/markup.h"
#include "core/report/run_figures.h"
#include "tests/core/report/report_run.h"

using namespace calibench;

namespace {

/// What stands in a picture, element by element.
struct Element {
    QString name, text;
    QXmlStreamAttributes attributes;

    [[nodiscard]] double number(const char* attribute) const { return attributes.value(QLatin1String(attribute)).toDouble(); }
};

/// Empty when it is no XML.
QList<Element> elements_of(const std::string& svg) {
    QList<Element> elements;
    QList<qsizetype> open;
    QXmlStreamReader reader(QString::fromStdString(svg));
    while (!reader.atEnd()) switch (reader.readNext()) {
            case QXmlStreamReader::StartElement:
                open << elements.size();
                elements << Element{reader.name().toString(), {}, reader.attributes()};
                break;
            case QXmlStreamReader::Characters:
                if (!open.isEmpty()) elements[open.last()].text += reader.text();
                break;
            case QXmlStreamReader::EndElement: open.removeLast(); break;
            default: break;
        }
    return reader.hasError() ? QList<Element>() : elements;
}

QStringList texts_of(const QList<Element>& elements) {
    QStringList texts;
    for (const Element& element : elements)
        if (element.name == "text") texts << element.text;
    return texts;
}

int count_of(const QList<Element>& elements, const QString& name) {
    return static_cast<int>(std::count_if(elements.begin(), elements.end(), [&](const Element& element) { return element.name == name; }));
}

Figure one_panel(Marks marks, Axis x = {.label = "Block", .whole_numbers = true}, Axis y = {.label = "Loss", .scale = Axis::Scale::Log}) {
    return {.title = "A plot", .panels = {{.x = std::move(x), .y = std::move(y), .marks = std::move(marks)}}};
}

}  // namespace

class TestReportFigures : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void nothingFromAFileBecomesMarkup_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("escaped");
        QTest::newRow("tag") << QByteArray("<script>alert('x')</script>") << QByteArray("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
        QTest::newRow("attribute") << QByteArray("a\" onload=\"b&c") << QByteArray("a&quot; onload=&quot;b&amp;c");
        QTest::newRow("letters") << QByteArray("Grüße → 漢字 🙂") << QByteArray("Grüße → 漢字 🙂");
        QTest::newRow("control characters") << QByteArray("a\x01" "b\x1b[31m") << QByteArray("a\xEF\xBF\xBD" "b\xEF\xBF\xBD[31m");
        QTest::newRow("no UTF-8") << QByteArray("a\xff\xc3") << QByteArray("a\xEF\xBF\xBD\xEF\xBF\xBD");
        QTest::newRow("overlong") << QByteArray("\xc0\xbc") << QByteArray("\xEF\xBF\xBD\xEF\xBF\xBD");
        QTest::newRow("half of a pair") << QByteArray("\xed\xa0\x80") << QByteArray("\xEF\xBF\xBD");
    }
    void nothingFromAFileBecomesMarkup() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, escaped);
        QCOMPARE(QByteArray::fromStdString(calibench::escaped(text.toStdString())), escaped);
    }

    void ticksAreRoundAndDiffer_data() {
        QTest::addColumn<int>("scale");
        QTest::addColumn<double>("low");
        QTest::addColumn<double>("high");
        QTest::newRow("small") << 0 << 0.0 << 1e-7;
        QTest::newRow("wide") << 0 << -250.0 << 1e6;
        QTest::newRow("narrow, far from zero") << 0 << 1000.001 << 1000.004;
        QTest::newRow("a point") << 0 << 5.0 << 5.0;
        QTest::newRow("decades") << 1 << 3e-9 << 2.0;
        QTest::newRow("less than a decade") << 1 << 2e-4 << 2.1e-4;
        QTest::newRow("a point, logarithmic") << 1 << 1e-3 << 1e-3;
        QTest::newRow("symlog") << 2 << -300.0 << 2e-3;
    }
    void ticksAreRoundAndDiffer() {
        QFETCH(int, scale);
        QFETCH(double, low);
        QFETCH(double, high);
        const AxisMap map({.label = "x", .scale = static_cast<Axis::Scale>(scale)}, low, high, 0, 400);
        QVERIFY(map.place(low) >= -1e-9 && map.place(high) <= 400 + 1e-9);
        const auto ticks = map.ticks(8);
        QVERIFY2(ticks.size() >= 2 && ticks.size() <= 18, qPrintable(QString::number(ticks.size())));
        for (size_t i = 0; i < ticks.size(); ++i) {
            QVERIFY(ticks[i].place >= -1e-6 && ticks[i].place <= 400 + 1e-6);
            if (i == 0) continue;
            QVERIFY(ticks[i].place > ticks[i - 1].place);
            QVERIFY2(ticks[i].label != ticks[i - 1].label, ticks[i].label.c_str());
        }
        for (const AxisMap::Tick& tick : ticks) {  // the label says where it stands
            bool is_number = false;
            const double value = QString::fromStdString(tick.label).toDouble(&is_number);
            QVERIFY2(is_number, tick.label.c_str());
            QVERIFY2(std::abs(map.place(value) - tick.place) < 0.5, tick.label.c_str());
        }
    }

    void wholeNumbersHaveWholeTicks() {
        const AxisMap map({.label = "Block", .whole_numbers = true}, 0, 2, 0, 300);
        QStringList labels;
        for (const auto& tick : map.ticks(10)) labels << QString::fromStdString(tick.label);
        QCOMPARE(labels, QStringList({"0", "1", "2"}));
        QCOMPARE(map.place(0), 50.0);
    }

    void axesHaveNamesAndMarksTheirPlaces() {
        const auto elements = elements_of(to_svg(one_panel(Dumbbells{"before", "after", {{0, 1e-3, 1e-4}, {1, 1e-2, 1e-3}, {2, NAN, 1e-3}, {3, 0, 1e-3}}})));
        QVERIFY(!elements.isEmpty());
        QCOMPARE(elements[0].name, QStringLiteral("svg"));
        const QStringList texts = texts_of(elements);
        for (const char* text : {"Block", "Loss", "before", "after", "0.001"}) QVERIFY2(texts.contains(QLatin1String(text)), text);
        QList<Element> dots;
        for (const Element& element : elements)
            if (element.name == "circle") dots << element;
        QCOMPARE(dots.size(), 2 * 2 + 2);  // those that can be drawn, and the key
        QVERIFY(dots[0].number("cy") < dots[1].number("cy"));  // the larger loss stands higher
        QCOMPARE(dots[0].number("cy") - dots[1].number("cy"), dots[2].number("cy") - dots[3].number("cy"));  // a decade is a decade
        QVERIFY(dots[0].attributes.value(QLatin1String("fill")) != dots[1].attributes.value(QLatin1String("fill")));
    }

    void linesAreToldApartWithoutColours() {
        Curves marks;
        for (int i = 0; i < 3; ++i) marks.curves.push_back({"line " + std::to_string(i), {{0, 1.0 + i}, {1, 2.0 + i}}});
        const auto elements = elements_of(to_svg(one_panel(marks)));
        QStringList dashes;
        for (const Element& element : elements)
            if (element.name == "polyline") dashes << element.attributes.value(QLatin1String("stroke-dasharray")).toString();
        QCOMPARE(dashes.size(), 3);
        QCOMPARE(QSet<QString>(dashes.begin(), dashes.end()).size(), 3);
        for (int i = 0; i < 3; ++i) QVERIFY(texts_of(elements).contains("line " + QString::number(i)));
    }

    void cellsHoldTheirNumbers() {
        Cells cells{.rows = {"q_proj", "<down>"}, .columns = 2, .values = {10.4, std::nullopt, INFINITY, -3.0}, .label = "SQNR, dB"};
        const auto elements = elements_of(to_svg(one_panel(cells)));
        const QStringList texts = texts_of(elements);
        for (const char* text : {"10", "∞", "-3", "q_proj", "<down>", "SQNR, dB"}) QVERIFY2(texts.contains(QString::fromUtf8(text)), text);
        QCOMPARE(count_of(elements, "title"), 3);  // one for each cell that there is
    }

    void nothingToShowIsAPictureToo() {
        for (const Marks& marks : {Marks(Dumbbells{}), Marks(Curves{}), Marks(Bars{}), Marks(Cells{})}) QVERIFY(!elements_of(to_svg(one_panel(marks))).isEmpty());
        QVERIFY(!elements_of(to_svg({.title = "none"})).isEmpty());
    }

    void longCurvesKeepTheirPeaks() {
        ReportedRun run = testing::reported_run();
        auto& losses = run.facts.blocks[0].loss_mse;
        losses.assign(20000, 1e-4);
        losses[12345] = 0.5;
        losses[321] = 1e-9;
        const auto figure = loss_curves_figure(run.facts);
        QVERIFY(figure);
        const auto& points = std::get<Curves>(figure->panels[0].marks).curves[0].points;
        QVERIFY2(points.size() <= 800, qPrintable(QString::number(points.size())));
        QVERIFY(std::is_sorted(points.begin(), points.end()));
        const auto holds = [&](double x, double y) { return std::find(points.begin(), points.end(), std::array<double, 2>{x, y}) != points.end(); };
        QVERIFY(holds(12345, 0.5) && holds(321, 1e-9));
    }

    void mapsTakeTheLowestOfExpertsAndPlaceTheOthers() {
        ReportedRun run = testing::reported_run();
        run.facts.modules.clear();
        for (int expert = 0; expert < 3; ++expert)
            run.facts.modules.emplace_back("model.layers.1.mlp.experts." + std::to_string(expert) + ".up_proj",
                                           ModuleOutcome{.block = 1, .expert = expert, .scheme = "W4", .weight_sqnr_db = 30.0 - expert, .tokens = 10 * (expert + 1)});
        run.facts.modules.emplace_back("model.layers.1.mlp.shared_expert.up_proj", ModuleOutcome{.block = 1, .scheme = "W4", .weight_sqnr_db = 12.0});
        run.facts.modules.emplace_back("lm_head", ModuleOutcome{.scheme = "W8", .weight_sqnr_db = 50.0});
        const auto figure = module_map_figure(run.facts, &ModuleOutcome::weight_sqnr_db, "SQNR, dB");
        QVERIFY(figure);
        const Cells& cells = std::get<Cells>(figure->panels[0].marks);
        QCOMPARE(cells.rows, (std::vector<std::string>{"experts.up_proj", "shared_expert.up_proj"}));
        QCOMPARE(cells.columns, 4u);
        QCOMPARE(cells.at(0, 1), std::optional(28.0));
        QCOMPARE(cells.at(1, 1), std::optional(12.0));
        QVERIFY(!cells.at(0, 0));
        QVERIFY(!module_map_figure(run.facts, &ModuleOutcome::output_sqnr_db, "SQNR, dB"));  // nobody measured it

        const auto tokens = expert_tokens_figure(run.facts);
        QVERIFY(tokens);
        const Cells& shares = std::get<Cells>(tokens->panels[0].marks);
        QCOMPARE(*shares.at(0, 0), 100.0 * 10 / 60);
        QCOMPARE(*shares.at(0, 2), 100.0 * 30 / 60);
        QVERIFY(!expert_tokens_figure(testing::reported_run().facts));
    }
};

QTEST_GUILESS_MAIN(TestReportFigures)
#include "tst_report_figures.moc"
