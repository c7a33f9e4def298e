#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include <QtCore/QTemporaryDir>
#include <QtTest/QTest>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/calibration_set.h"
#include "core/data/text_file.h"

using namespace calibench;
using nlohmann::json;
using Ids = std::vector<int64_t>;

namespace {

const std::filesystem::path demo = std::filesystem::path(CALIBENCH_RESOURCES) / "demo";

/// A safetensors file with one int64 or int32 tensor of the given name and shape.
std::string safetensors_bytes(const std::string& name, const std::string& dtype, const Ids& shape, const std::string& data) {
    const std::string header = json{{name, {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {0, data.size()}}}}}.dump();
    const uint64_t length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + header + data;
}

template <typename Integer>
std::string bytes_of(const std::vector<Integer>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Integer)};
}

}  // namespace

class TestCalibrationSet : public QObject {
    Q_OBJECT

    QTemporaryDir directory_;
    Tokenizer tokenizer_ = Tokenizer::open(demo / "tiny-llama-shakespeare");  // 2048 tokens, none added at the ends

    std::filesystem::path write(const std::string& name, const std::string& bytes) const {
        const auto file = std::filesystem::path(directory_.path().toStdString()) / name;
        std::ofstream(file, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return file;
    }

    CalibrationSet load(const std::filesystem::path& file, int64_t num_samples, int64_t seq_len) const {
        DatasetOptions options;
        options.num_samples = num_samples;
        options.seq_len = seq_len;
        return load_calibration_set(file, tokenizer_, options);
    }

    Ids concatenated(std::initializer_list<std::string> texts) const {
        Ids all;
        for (const std::string& text : texts) {
            const Ids ids = tokenizer_.encode(text);
            all.insert(all.end(), ids.begin(), ids.end());
        }
        return all;
    }

private Q_SLOTS:
    void text_is_cut_in_order() {
        const auto set = load(demo / "shakespeare.txt", 3, 16);
        Ids ids = tokenizer_.encode(read_text(demo / "shakespeare.txt"));
        QCOMPARE(set.num_samples, int64_t{3});
        QCOMPARE(set.seq_len, int64_t{16});
        QVERIFY(QString::fromStdString(set.description).startsWith("shakespeare.txt: 3 x 16 of "));
        ids.resize(48);
        QCOMPARE(set.input_ids, ids);
    }

    void special_tokens_are_put_around_the_whole_text_once() {
        const auto llama3 = Tokenizer::from_file(std::filesystem::path(CALIBENCH_TEST_DATA) / "golden/tokenizers/llama3_style.json");
        DatasetOptions options;
        options.num_samples = 2;
        options.seq_len = 4;
        const auto set = load_calibration_set(write("a.md", "To be, or not to be, that is the question"), llama3, options);
        QCOMPARE(set.input_ids[0], int64_t{1200});
        QCOMPARE(std::count(set.input_ids.begin(), set.input_ids.end(), 1200), ptrdiff_t{1});
    }

    void line_ends_are_read_as_python_reads_them() {
        QCOMPARE(read_text(write("crlf.txt", "a\r\nb\rc\n\r\r\nd\r")), std::string("a\nb\nc\n\n\nd\n"));
    }

    void fewer_samples_than_asked_for_are_all_there_are() {
        const Ids ids = tokenizer_.encode("What is the city but the people?");
        const auto set = load(write("short.txt", "What is the city but the people?"), 100, 2);
        QCOMPARE(set.num_samples, static_cast<int64_t>(ids.size() / 2));
        QCOMPARE(set.input_ids, Ids(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(ids.size() / 2 * 2)));
    }

    void documents_are_tokenized_one_by_one_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("lines") << "a.jsonl" << QByteArray("{\"text\": \"Hello \\u00e9\"}\n\n  {\"id\": 1, \"text\": \" world\"}\r\n{\"text\": \"\"}\n{\"text\":\"!\"}");
        QTest::newRow("lines, .json") << "a.json" << QByteArray("{\"text\": \"Hello \\u00e9\"}\n{\"text\": \" world\"}\n{\"text\":\"!\"}\n");
        QTest::newRow("list") << "b.json" << QByteArray("\n[{\"text\": \"Hello \\u00e9\"},\n{\"text\": \" world\"}, {\"text\": \"!\"}]");
    }
    void documents_are_tokenized_one_by_one() {
        QFETCH(QString, name);
        QFETCH(QByteArray, bytes);
        const Ids expected = concatenated({"Hello \u00E9", " world", "!"});
        QCOMPARE(load(write(name.toStdString(), bytes.toStdString()), 1, static_cast<int64_t>(expected.size())).input_ids, expected);
    }

    void ids_are_taken_as_they_are() {
        const auto jsonl = write("ids.jsonl", "{\"input_ids\": [1, 2, 3]}\n{\"input_ids\": []}\n{\"input_ids\": [4, 2047]}\n");
        QCOMPARE(load(jsonl, 2, 2).input_ids, (Ids{1, 2, 3, 4}));
        const auto wide = write("ids.safetensors", safetensors_bytes("input_ids", "I64", {2, 3}, bytes_of<int64_t>({1, 2, 3, 4, 5, 2047})));
        QCOMPARE(load(wide, 2, 3).input_ids, (Ids{1, 2, 3, 4, 5, 2047}));
        const auto narrow = write("ids32.safetensors", safetensors_bytes("input_ids", "I32", {2, 2}, bytes_of<int32_t>({9, 8, 7, 6})));
        QCOMPARE(load(narrow, 1, 4).input_ids, (Ids{9, 8, 7, 6}));
    }

    void reading_stops_when_there_is_enough() {
        const auto file = write("broken_later.jsonl", "{\"input_ids\": [1, 2, 3, 4]}\nthis line is never read\n");
        QCOMPARE(load(file, 2, 2).input_ids, (Ids{1, 2, 3, 4}));
        QVERIFY_EXCEPTION_THROWN((void)load(file, 3, 2), InputError);
    }

    void shuffling_is_a_permutation_that_depends_on_the_seed_alone() {
        Ids ids(2000);
        for (size_t i = 0; i < ids.size(); ++i)
            ids[i] = static_cast<int64_t>(i);
        const auto file = write("all.safetensors", safetensors_bytes("input_ids", "I64", {1, 2000}, bytes_of(ids)));
        DatasetOptions options;
        options.num_samples = 500;
        options.seq_len = 4;
        options.shuffle = true;
        const auto first = load_calibration_set(file, tokenizer_, options);
        const auto again = load_calibration_set(file, tokenizer_, options);
        QCOMPARE(first.input_ids, again.input_ids);
        std::set<int64_t> starts;
        for (size_t i = 0; i < first.input_ids.size(); i += 4) {
            QCOMPARE(first.input_ids[i] % 4, int64_t{0});
            QCOMPARE(first.input_ids[i + 3], first.input_ids[i] + 3);
            starts.insert(first.input_ids[i]);
        }
        QCOMPARE(starts.size(), size_t{500});
        QVERIFY(first.input_ids != ids);
        // Seed 42 as an independent MT19937-64 and Fisher-Yates give it: no standard library or platform may differ.
        for (size_t i = 0; const int64_t start : {972, 1264, 1252, 908, 1272, 392})
            QCOMPARE(first.input_ids[4 * i++], start);

        options.seed = 43;
        QVERIFY(load_calibration_set(file, tokenizer_, options).input_ids != first.input_ids);
        options.num_samples = 7;
        options.seed = 42;
        const auto few = load_calibration_set(file, tokenizer_, options);
        QVERIFY(std::equal(few.input_ids.begin(), few.input_ids.end(), first.input_ids.begin()));
        QCOMPARE(few.description, std::string("all.safetensors: 7 x 4 of 2,000 tokens, shuffled by seed 42"));
    }

    void bad_datasets_are_refused_by_name_and_place_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("complaint");
        const auto tensor = [](const char* name, const char* dtype, const Ids& shape, const std::string& data) {
            return QByteArray::fromStdString(safetensors_bytes(name, dtype, shape, data));
        };
        QTest::newRow("not UTF-8") << "a.txt" << QByteArray("one\ntwo\nth\xE9ree") << "line 3 (byte 10) is not UTF-8";
        QTest::newRow("empty text") << "a.txt" << QByteArray() << "holds no tokens";
        QTest::newRow("short text") << "a.txt" << QByteArray("a b") << "choose a seq_len of 2 or less";
        QTest::newRow("broken line") << "a.jsonl" << QByteArray("{\"text\": \"a\"}\n\n{\"text\": ") << "line 3 is not valid JSON";
        QTest::newRow("line not UTF-8") << "a.jsonl" << QByteArray("{\"text\": \"\xFF\"}") << "line 1 is not valid JSON";
        QTest::newRow("line of a list") << "a.jsonl" << QByteArray("{\"text\": \"a\"}\n[1]") << "line 2 is not a JSON object";
        QTest::newRow("no field") << "a.jsonl" << QByteArray("{\"text\": \"a\"}\n{\"prompt\": \"a\"}") << "line 2 has neither \"text\" nor \"input_ids\", only prompt";
        QTest::newRow("text of numbers") << "a.jsonl" << QByteArray("{\"text\": 7}") << "line 1 has a \"text\" that is not a string";
        QTest::newRow("ids of strings") << "a.jsonl" << QByteArray("{\"input_ids\": [1, \"2\"]}") << "line 1 has \"input_ids\" that are not";
        QTest::newRow("id too large") << "a.jsonl" << QByteArray("{\"input_ids\": [1, 2048]}") << "line 1 holds the id 2048";
        QTest::newRow("id negative") << "a.jsonl" << QByteArray("{\"input_ids\": [-1]}") << "line 1 holds the id -1";
        QTest::newRow("broken list") << "a.json" << QByteArray("[{\"text\": \"a\"},\n}]") << "line 2";
        QTest::newRow("item") << "a.json" << QByteArray("[{\"text\": \"a\"}, 3]") << "item 2 is not a JSON object";
        QTest::newRow("other tensor") << "a.safetensors" << tensor("ids", "I64", {1, 1}, bytes_of<int64_t>({1})) << "has no tensor \"input_ids\"";
        QTest::newRow("one dimension") << "a.safetensors" << tensor("input_ids", "I64", {1}, bytes_of<int64_t>({1})) << "of shape [samples, length]";
        QTest::newRow("floats") << "a.safetensors" << tensor("input_ids", "F32", {1, 1}, bytes_of<float>({1})) << "whole numbers";
        QTest::newRow("row") << "a.safetensors" << tensor("input_ids", "I64", {2, 1}, bytes_of<int64_t>({1, 5000})) << "row 1 holds the id 5000";
        QTest::newRow("no safetensors") << "a.safetensors" << QByteArray("hello") << "a.safetensors";
    }
    void bad_datasets_are_refused_by_name_and_place() {
        QFETCH(QString, name);
        QFETCH(QByteArray, bytes);
        QFETCH(QString, complaint);
        const auto file = write(name.toStdString(), bytes.toStdString());
        try {
            (void)load(file, 2, 16);
            QFAIL("was accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(complaint), error.what());
            QVERIFY2(QString(error.what()).contains(QString::fromStdString(file.string())), error.what());
            QVERIFY2(!QString(error.what()).contains("json.exception"), error.what());
        }
    }

    void a_missing_dataset_is_refused_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"none.txt", "none.jsonl", "none.json", "none.safetensors"})
            QTest::newRow(name) << name;
    }
    void a_missing_dataset_is_refused() {
        QFETCH(QString, name);
        const auto file = std::filesystem::path(directory_.path().toStdString()) / name.toStdString();
        QVERIFY_EXCEPTION_THROWN((void)load(file, 1, 1), InputError);
        QVERIFY_EXCEPTION_THROWN((void)load(file.parent_path(), 1, 1), InputError);
    }

    void impossible_sizes_are_refused() {
        const auto file = write("a.txt", "To be, or not to be");
        QVERIFY_EXCEPTION_THROWN((void)load(file, 0, 4), InputError);
        QVERIFY_EXCEPTION_THROWN((void)load(file, 4, 0), InputError);
        QVERIFY_EXCEPTION_THROWN((void)load(file, INT64_MAX, 2), InputError);
    }
};

QTEST_APPLESS_MAIN(TestCalibrationSet)
#include "tst_calibration_set.moc"
