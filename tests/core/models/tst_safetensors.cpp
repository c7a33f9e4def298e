#include <random>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/models/checkpoint.h"
#include "tests/core/models/raw_safetensors.h"

using namespace calibench;

class SafetensorsTest : public QObject {
    Q_OBJECT

    QTemporaryDir dir_;
    std::filesystem::path path(const char* name) const { return std::filesystem::path(dir_.path().toStdString()) / name; }

    /// What opening the directory says.
    static QString refusal(const std::function<void()>& open) {
        try {
            open();
        } catch (const InputError& error) {
            return QString::fromUtf8(error.what());
        }
        return {};
    }

private Q_SLOTS:
    void reads_tensors_without_copying() {
        const float values[] = {1.5F, -2.0F, 0.25F, 8.0F, 3.0F, -1.0F};
        std::string data(reinterpret_cast<const char*>(values), sizeof values);
        const std::string header = R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
        write_bytes(path("good.safetensors"), raw_safetensors(header + std::string((8 - header.size() % 8) % 8, ' '), data));

        at::Tensor tensor;
        const void* first = nullptr;
        {
            const SafetensorsFile file(path("good.safetensors"));
            QCOMPARE(file.metadata().at("format"), std::string("pt"));
            QCOMPARE(file.entries().at("w").dtype, std::string("F32"));
            tensor = file.tensor("w");
            first = file.tensor("w").data_ptr();
        }
        QCOMPARE(tensor.data_ptr(), first);                    // the same pages
        QCOMPARE(tensor.sizes(), at::IntArrayRef({2, 3}));     // alive though the file object is gone
        QVERIFY(at::equal(tensor, at::tensor({1.5, -2.0, 0.25, 8.0, 3.0, -1.0}, at::kFloat).view({2, 3})));
    }

    void reads_every_dtype_and_misaligned_data() {
        // One byte first, so that everything after it is misaligned.
        std::string data(1, '\x7f');
        std::string header = R"({"first":{"dtype":"U8","shape":[],"data_offsets":[0,1]})";
        const std::pair<const char*, at::ScalarType> types[] = {
            {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong}, {"I32", at::kInt},
            {"I16", at::kShort}, {"I8", at::kChar}, {"U8", at::kByte}, {"BOOL", at::kBool}, {"F8_E4M3", at::kFloat8_e4m3fn}};
        const at::Tensor values = at::tensor({0, 1, 1}, at::kLong);
        for (const auto& [name, type] : types) {
            const at::Tensor typed = values.to(type);
            const size_t begin = data.size();
            data.append(static_cast<const char*>(typed.data_ptr()), typed.nbytes());
            const QString entry = QStringLiteral(R"(,"%1":{"dtype":"%1","shape":[3],"data_offsets":[%2,%3]})");
            header += entry.arg(name).arg(begin).arg(data.size()).toStdString();
        }
        write_bytes(path("types.safetensors"), raw_safetensors(header + "}", data));
        const SafetensorsFile file(path("types.safetensors"));
        QCOMPARE(file.tensor("first").item<int64_t>(), 0x7f);
        for (const auto& [name, type] : types) {
            const at::Tensor tensor = file.tensor(name);
            QCOMPARE(tensor.scalar_type(), type);
            QVERIFY2(at::equal(tensor.to(at::kLong), values), name);
        }
    }

    void refuses_a_damaged_file_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("said");
        const auto add = [](const char* name, const std::string& bytes, const char* said) {
            QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())) << QString(said);
        };
        const std::string eight(8, '\0');
        const auto one = [&](const std::string& entry) { return raw_safetensors(R"({"w":)" + entry + "}", eight); };
        add("empty", "", "0 bytes are too short");
        add("seven bytes", std::string(7, 'x'), "7 bytes are too short");
        add("header beyond the file", std::string("\xff\xff\0\0\0\0\0\0{}", 10), "the file ends before");
        add("absurd header", std::string(8, '\xff') + "{}", "beyond all measure");
        add("no JSON", raw_safetensors("{\"w\": ", eight), "not valid JSON");
        add("not UTF-8", raw_safetensors("{\"\xff\":1}", eight), "not valid JSON");
        add("a list", raw_safetensors("[1,2]", eight), "not a JSON object");
        add("deep nesting", raw_safetensors(std::string(100000, '['), eight), "nested too deeply");
        add("metadata of numbers", raw_safetensors(R"({"__metadata__":{"a":1}})", ""), "__metadata__");
        add("no object", one("3"), "has no dtype");
        add("no offsets", one(R"({"dtype":"F32","shape":[2]})"), "has no data_offsets");
        add("unknown dtype", one(R"({"dtype":"F4","shape":[2],"data_offsets":[0,8]})"), "the dtype \"F4\"");
        add("dtype a number", one(R"({"dtype":4,"shape":[2],"data_offsets":[0,8]})"), "dtype that is no text");
        add("negative shape", one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "in its shape");
        add("fractional shape", one(R"({"dtype":"F32","shape":[2.5],"data_offsets":[0,8]})"), "in its shape");
        add("overflowing shape", one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"), "too large");
        add("overflow behind a zero", one(R"({"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]})"), "too large");
        add("huge number", one(R"({"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]})"), "in its shape");
        add("three offsets", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,9]})"), "no pair of numbers");
        add("backwards", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "ends before it begins");
        add("beyond the data", one(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16]})"), "truncated");
        add("wrong size", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})"), "needs 4 bytes");
        add("gap", one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), "gap");
        add("trailing bytes", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "4 bytes after the last tensor");
        const std::string first = R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)";
        add("overlap", raw_safetensors(first + R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", eight), "\"b\" overlaps");
        add("duplicate name", raw_safetensors(first + R"("a":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})", eight),
            "\"a\" appears twice");
    }
    void refuses_a_damaged_file() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, said);
        write_bytes(path("bad.safetensors"), bytes.toStdString());
        const QString message = refusal([&] { SafetensorsFile file(path("bad.safetensors")); });
        QVERIFY2(message.contains("bad.safetensors") && message.contains(said), qPrintable("said: " + message));
    }

    /// Whatever bytes change, a file is either refused in a sentence or every tensor in it can be read to its last byte.
    void survives_random_damage() {
        const std::string good = read_bytes(CALIBENCH_TEST_DATA "/families/llama/model.safetensors");
        const size_t header_end = 8 + *reinterpret_cast<const uint64_t*>(good.data());
        std::mt19937 random(20261123);
        int refused = 0;
        for (int round = 0; round < 400; ++round) {
            std::string bytes = good;
            if (round % 4 == 0) bytes.resize(random() % bytes.size());
            else
                for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes)
                    bytes[random() % header_end] = round % 4 == 1 ? static_cast<char>(random()) : "0123456789[]{},:\""[random() % 17];
            write_bytes(path("fuzzed.safetensors"), bytes);
            try {
                const SafetensorsFile file(path("fuzzed.safetensors"));
                for (const auto& [name, entry] : file.entries()) (void)file.tensor(name).to(at::kFloat).sum();
            } catch (const InputError&) {
                ++refused;
            }
        }
        QVERIFY2(refused > 200, qPrintable(QString::number(refused)));
    }

    void lists_all_missing_shards() {
        const std::string index = R"({"weight_map":{"a":"1-of-3.safetensors","b":"2-of-3.safetensors","c":"3-of-3.safetensors"}})";
        write_bytes(path("model.safetensors.index.json"), index);
        write_bytes(path("2-of-3.safetensors"), raw_safetensors(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"));
        const QString message = refusal([&] { Checkpoint checkpoint(dir_.path().toStdString()); });
        for (const char* part : {"2 shards", "1-of-3", "3-of-3"}) QVERIFY2(message.contains(part), qPrintable(message));
        QVERIFY(!message.contains("2-of-3"));
        std::filesystem::remove(path("model.safetensors.index.json"));
    }

    void reads_shards_by_index_data() {
        QTest::addColumn<QString>("index");
        QTest::addColumn<QString>("said");  // empty: accepted
        QTest::newRow("good") << R"({"weight_map":{"b":"one.safetensors"}})" << "";
        QTest::newRow("promised in vain") << R"({"weight_map":{"b":"one.safetensors","zz":"one.safetensors"}})"
                                          << "places zz in one.safetensors";
        QTest::newRow("parent directory") << R"({"weight_map":{"b":"../one.safetensors"}})" << "same directory";
        QTest::newRow("absolute") << R"({"weight_map":{"b":"/etc/passwd"}})" << "same directory";
        QTest::newRow("dots") << R"({"weight_map":{"b":".."}})" << "same directory";
        QTest::newRow("a number") << R"({"weight_map":{"b":3}})" << "same directory";
        QTest::newRow("no map") << R"({"metadata":{}})" << "weight_map is missing";
        QTest::newRow("no JSON") << "{" << "not valid JSON";
    }
    void reads_shards_by_index() {
        QFETCH(QString, index);
        QFETCH(QString, said);
        write_bytes(path("one.safetensors"), raw_safetensors(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"));
        write_bytes(path("model.safetensors.index.json"), index.toStdString());
        const QString message = refusal([&] {
            const Checkpoint checkpoint(dir_.path().toStdString());
            QCOMPARE(checkpoint.tensor("b").item<int64_t>(), 'x');
            QCOMPARE(checkpoint.names(), std::vector<std::string>{"b"});
            QVERIFY(refusal([&] { (void)checkpoint.tensor("c"); }).contains("no tensor \"c\""));
        });
        QVERIFY2(said.isEmpty() ? message.isEmpty() : message.contains(said), qPrintable(message));
    }

    void says_what_a_directory_lacks() {
        const QTemporaryDir empty;
        QVERIFY(refusal([&] { Checkpoint checkpoint(empty.path().toStdString()); }).contains("neither model.safetensors nor"));
        QVERIFY(refusal([&] { Checkpoint checkpoint((empty.path() + "/none").toStdString()); }).contains("is not a directory"));
        write_bytes(empty.filePath("pytorch_model.bin").toStdString(), "x");
        QVERIFY(refusal([&] { Checkpoint checkpoint(empty.path().toStdString()); }).contains("convert them to safetensors"));
    }
};

QTEST_GUILESS_MAIN(SafetensorsTest)
#include "tst_safetensors.moc"
