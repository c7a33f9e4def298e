#include <random>

#include <QTest>

#include "core/base/line_diff.h"
#include "core/base/text.h"

using namespace calibench;
using Kind = DiffLine::Kind;

/// Unified diffs against what a person would write, and against what they must be good for: patching.
class TestLineDiff : public QObject {
    Q_OBJECT

    static QString shown(const std::vector<DiffLine>& diff) {
        QString text;
        for (const DiffLine& line : diff) text += (line.kind == Kind::Gap ? QString() : QString(" -+"[int(line.kind)])) + QString::fromStdString(line.text) + '\n';
        return text;
    }

private Q_SLOTS:
    void shows_changes_with_what_is_around() {
        std::string before, after;
        for (int i = 1; i <= 20; ++i) {
            before += concat("line ", i, "\n");
            if (i == 4) after += "line four\n";
            else if (i != 18) after += concat("line ", i, "\n");
            if (i == 5) after += "between\n";
        }
        QCOMPARE(shown(unified_diff(before, after, 1)), QString("@@ -3,4 +3,5 @@\n line 3\n-line 4\n+line four\n line 5\n+between\n line 6\n"
                                                               "@@ -17,3 +18,2 @@\n line 17\n-line 18\n line 19\n"));
    }

    void edges_data() {
        QTest::addColumn<QString>("before");
        QTest::addColumn<QString>("after");
        QTest::addColumn<QString>("diff");
        QTest::newRow("equal") << "a\nb\n" << "a\nb\n" << "";
        QTest::newRow("nothing at all") << "" << "" << "";
        QTest::newRow("only the last line's end differs") << "a\nb" << "a\nb\n" << "";
        QTest::newRow("from nothing") << "" << "a\n" << "@@ -1,0 +1,1 @@\n+a\n";
        QTest::newRow("to nothing") << "a\n\n" << "" << "@@ -1,2 +1,0 @@\n-a\n-\n";
        QTest::newRow("a line in front") << "b\n" << "a\nb\n" << "@@ -1,1 +1,2 @@\n+a\n b\n";
        QTest::newRow("one of two alike") << "a\na\n" << "a\n" << "@@ -1,2 +1,1 @@\n a\n-a\n";
    }

    void edges() {
        QFETCH(QString, before);
        QFETCH(QString, after);
        QFETCH(QString, diff);
        QCOMPARE(shown(unified_diff(before.toStdString(), after.toStdString())), diff);
    }

    void both_texts_can_be_read_from_it() {
        std::mt19937 random(7);
        for (int round = 0; round < 200; ++round) {
            std::string texts[2], read[2];
            for (std::string& text : texts)
                for (unsigned i = random() % 12; i > 0; --i) text += std::string(1, char('a' + random() % 4)) + "\n";
            for (const DiffLine& line : unified_diff(texts[0], texts[1], 100)) {
                if (line.kind == Kind::Same || line.kind == Kind::Removed) read[0] += line.text + "\n";
                if (line.kind == Kind::Same || line.kind == Kind::Added) read[1] += line.text + "\n";
            }
            if (texts[0] == texts[1]) QVERIFY(read[0].empty() && read[1].empty());
            else QVERIFY(read[0] == texts[0] && read[1] == texts[1]);
        }
    }

    void texts_of_many_lines_are_replaced_between_their_ends() {
        std::string before = "begin\n", after = "begin\n";
        for (int i = 0; i < 5000; ++i) {
            before += concat("old ", i, "\n");
            after += concat("new ", i, "\n");
        }
        const auto diff = unified_diff(before + "end\n", after + "end\n");
        QCOMPARE(diff.size(), 1u + 2 + 10000);
        QCOMPARE(diff[1].text, std::string("begin"));
        QVERIFY(diff[2].kind == Kind::Removed && diff[5001].kind == Kind::Removed && diff[5002].kind == Kind::Added);
    }
};

QTEST_GUILESS_MAIN(TestLineDiff)
#include "tst_line_diff.moc"
