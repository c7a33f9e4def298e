#include <string>

#include <QtTest/QTest>

#include "core/base/error.h"
#include "core/data/byte_alphabet.h"
#include "core/data/regex.h"
#include "core/data/unicode.h"

using namespace calibench;

class TestUnicode : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_code_point_survives_utf8() {
        for (char32_t c = 0; c <= 0x10FFFF; ++c) {
            if (c >= 0xD800 && c <= 0xDFFF)
                continue;
            std::string text = "x";
            append_utf8(text, c);
            const CodePoint read = code_point_at(text, 1);
            QVERIFY(read.valid && read.value == c && read.length + 1 == text.size());
            QCOMPARE(last_code_point(text), c);
        }
    }

    void malformed_bytes_are_found_and_repaired_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<int>("offset");
        QTest::addColumn<QByteArray>("repaired");
        // Unicode 15, section 3.9, table 3-8: one U+FFFD for each maximal subpart.
        QTest::newRow("the standard's example") << QByteArray("a\xF1\x80\x80\xE1\x80\xC2""b\x80""c\x80\xBF""d") << 1
                                                << QByteArray("a\uFFFD\uFFFD\uFFFD""b\uFFFD""c\uFFFD\uFFFD""d");
        QTest::newRow("overlong") << QByteArray("\xC0\xAF\xE0\x80\xAF") << 0 << QByteArray("\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
        QTest::newRow("surrogate") << QByteArray("ab\xED\xA0\x80") << 2 << QByteArray("ab\uFFFD\uFFFD\uFFFD");
        QTest::newRow("beyond the last") << QByteArray("\xF4\x90\x80\x80") << 0 << QByteArray("\uFFFD\uFFFD\uFFFD\uFFFD");
        QTest::newRow("cut off") << QByteArray("abc\xF0\x9F\x98") << 3 << QByteArray("abc\uFFFD");
    }
    void malformed_bytes_are_found_and_repaired() {
        QFETCH(QByteArray, bytes);
        QFETCH(int, offset);
        QFETCH(QByteArray, repaired);
        QCOMPARE(find_invalid_utf8(bytes.toStdString()), std::optional<size_t>(offset));
        QCOMPARE(QByteArray::fromStdString(repair_utf8(bytes.toStdString())), repaired);
        QVERIFY(!find_invalid_utf8(repaired.toStdString()));
    }

    void the_byte_alphabet_is_a_bijection() {
        std::string bytes;
        for (int b = 0; b < 256; ++b)
            bytes.push_back(static_cast<char>(b));
        const std::string characters = to_byte_characters(bytes);
        QVERIFY(!find_invalid_utf8(characters));
        QCOMPARE(from_byte_characters(characters), std::optional(bytes));
        QVERIFY(!from_byte_characters("a b"));
        QCOMPARE(to_byte_characters(" \n!"), std::string("\u0120\u010A!"));
    }

    void what_pcre2_reads_differently_is_translated_data() {
        QTest::addColumn<QString>("oniguruma");
        QTest::addColumn<QString>("pcre2");
        QTest::newRow("white space") << R"(\s[^\S\n])" << R"(\p{White_Space}[^\P{White_Space}\n])";
        QTest::newRow("hexadecimal digit") << R"(\h[\h_]\H)" << "[0-9A-Fa-f][0-9A-Fa-f_][^0-9A-Fa-f]";
        QTest::newRow("long category") << R"(\p{Letter}\P{Lu}\p{^N})" << R"(\p{L}\P{Lu}\p{^N})";
        QTest::newRow("script") << R"(\p{Han})" << R"(\p{sc:Han})";
        QTest::newRow("dot matches newline") << "(?m:.)(?im)(?:m)" << "(?s:.)(?is)(?:m)";
        QTest::newRow("interval from zero") << "a{,3}b{2}{" << "a{0,3}b{2}{";
        QTest::newRow("code point") << R"(\u3040)" << R"(\x{3040})";
        QTest::newRow("class with brackets") << R"([]a][[:alpha:]\[\]](b))" << R"([]a][[:alpha:]\[\]](b))";
    }
    void what_pcre2_reads_differently_is_translated() {
        QFETCH(QString, oniguruma);
        QFETCH(QString, pcre2);
        QCOMPARE(QString::fromStdString(oniguruma_to_pcre2(oniguruma.toStdString())), pcre2);
    }

    void what_cannot_be_translated_is_refused_data() {
        QTest::addColumn<QString>("pattern");
        for (const char* pattern : {"[a&&[b]]", "[a[b]]", R"([\W])", R"([\H])", "a{1,3}+", "\\", R"(\u12)", "(", "[b"})
            QTest::newRow(pattern) << pattern;
    }
    void what_cannot_be_translated_is_refused() {
        QFETCH(QString, pattern);
        try {
            const Regex regex(pattern.toStdString());
            QFAIL("was accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(pattern), error.what());
        }
    }

    void a_long_text_does_not_exhaust_the_stack() {
        const Regex regex("(?:a|b)+c");
        const std::string text(1000000, 'a');
        const auto match = regex.find(text + "c", 0);
        QVERIFY(match && match->begin == 0 && match->end == text.size() + 1);
    }
};

QTEST_APPLESS_MAIN(TestUnicode)
#include "tst_unicode.moc"
