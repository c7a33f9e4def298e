#include <QtCore/QCryptographicHash>
#include <QtCore/QFile>
#include <QtTest/QTest>

#include "core/base/text.h"
#include "core/data/tokenizer.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

namespace {

/// "text 12 \"a\\u0000b\": ids [1,2], expected [1,3]", or empty when they agree.
template <typename Value>
std::string difference(const std::string& what, size_t index, const nlohmann::json& item, const Value& actual) {
    const nlohmann::json& expected = item.at(what);
    if (nlohmann::json(actual) == expected)
        return {};
    const auto print = [](const nlohmann::json& value) {
        return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    };
    return concat("text ", index, " ", print(item.at("text")), ": ", what, " ", print(actual), ", expected ", print(expected), "\n");
}

QByteArray sha256(const std::filesystem::path& path) {
    QFile file(QString::fromStdString(path.string()));
    QCryptographicHash hash(QCryptographicHash::Sha256);
    return file.open(QIODevice::ReadOnly) && hash.addData(&file) ? hash.result().toHex() : QByteArray();
}

}  // namespace

/// Ids and decoded texts are those of Hugging Face's tokenizers library, exactly.
class GoldenTokenizer : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void encodes_and_decodes_as_the_reference_data() { golden_.add_rows(); }

    void encodes_and_decodes_as_the_reference() {
        const GoldenCase& c = golden_.current();
        std::filesystem::path file = golden_directory() / c.args.at("tokenizer_file").get<std::string>();
        if (c.name == "smollm2") {
            if (!qEnvironmentVariableIsSet("CALIBENCH_SMOLLM2_DIR"))
                QSKIP("SmolLM2's tokenizer does not come with the sources: set CALIBENCH_SMOLLM2_DIR to its directory.");
            file = std::filesystem::path(qEnvironmentVariable("CALIBENCH_SMOLLM2_DIR").toStdString()) / "tokenizer.json";
        }
        QCOMPARE(sha256(file), QByteArray::fromStdString(c.args.at("sha256").get<std::string>()));

        const Tokenizer tokenizer = Tokenizer::from_file(file);
        QCOMPARE(tokenizer.vocab_size(), c.args.at("vocab_size").get<int64_t>());
        const nlohmann::json& items = c.expected.at("items");
        QVERIFY(!items.empty());
        std::string report;
        for (size_t i = 0; i < items.size(); ++i) {
            const nlohmann::json& item = items[i];
            const auto text = item.at("text").get<std::string>();
            const auto ids = tokenizer.encode(text, false);
            const auto ids_special = tokenizer.encode(text, true);
            report += difference("ids", i, item, ids);
            report += difference("ids_special", i, item, ids_special);
            report += difference("decoded", i, item, tokenizer.decode(ids, false));
            report += difference("decoded_skip", i, item, tokenizer.decode(ids_special, true));
        }
        QVERIFY2(report.empty(), report.c_str());
    }

private:
    const GoldenSet golden_{"tokenizer"};
};

QTEST_APPLESS_MAIN(GoldenTokenizer)
#include "golden_tokenizer.moc"
