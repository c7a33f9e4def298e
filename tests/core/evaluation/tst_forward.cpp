#include <filesystem>

#include <ATen/ATen.h>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/evaluation/forward.h"
#include "core/models/safetensors.h"

using namespace calibench;
namespace fs = std::filesystem;

class ForwardTest : public QObject {
    Q_OBJECT

    QTemporaryDir dir_;
    fs::path path(const char* name) const { return fs::path(dir_.path().toStdString()) / name; }
    static fs::path family(const char* name) { return fs::path(CALIBENCH_TEST_DATA "/families") / name; }

    void forward(const fs::path& model, const fs::path& inputs) const {
        forward_file({.model_dir = model, .inputs = inputs, .output = path("outputs.safetensors"), .device = "cpu"});
    }
    QString refusal(const std::vector<NamedTensor>& inputs) const {
        write_safetensors(path("inputs.safetensors"), inputs);
        try {
            forward(family("llama"), path("inputs.safetensors"));
        } catch (const InputError& error) {
            return QString::fromUtf8(error.what());
        }
        return {};
    }

private Q_SLOTS:
    /// The reference files hold input_ids and attention_mask themselves, so they serve as inputs.
    void writes_what_the_reference_has_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"llama", "qwen3_moe"}) QTest::newRow(name) << name;
    }
    void writes_what_the_reference_has() {
        QFETCH(QString, name);
        const fs::path model = family(qPrintable(name));
        forward(model, model / "expected.safetensors");
        const SafetensorsFile expected(model / "expected.safetensors");
        const SafetensorsFile actual(path("outputs.safetensors"));
        const at::Tensor mask = expected.tensor("attention_mask").to(at::kBool);
        QCOMPARE(actual.entries().size(), 3U);
        for (const char* tensor : {"hidden_0", "hidden_1", "logits"}) {
            QCOMPARE(actual.tensor(tensor).scalar_type(), at::kFloat);
            QCOMPARE(actual.tensor(tensor).sizes(), expected.tensor(tensor).sizes());
            const at::Tensor difference = (actual.tensor(tensor) - expected.tensor(tensor)).abs().index({mask});
            QVERIFY2(difference.max().item<double>() <= 1e-4, tensor);
        }
    }

    void the_mask_is_optional() {
        const at::Tensor ids = at::arange(3, 15, at::kInt).view({2, 6});
        write_safetensors(path("inputs.safetensors"), {{"input_ids", ids}});
        forward(family("llama"), path("inputs.safetensors"));
        const at::Tensor without = SafetensorsFile(path("outputs.safetensors")).tensor("logits").clone();
        write_safetensors(path("inputs.safetensors"), {{"input_ids", ids}, {"attention_mask", at::ones({2, 6}, at::kLong)}});
        forward(family("llama"), path("inputs.safetensors"));
        QVERIFY(at::equal(SafetensorsFile(path("outputs.safetensors")).tensor("logits"), without));
    }

    void says_what_is_wrong_with_the_inputs() {
        const at::Tensor ids = at::ones({1, 4}, at::kLong);
        QVERIFY(refusal({{"ids", ids}}).contains("no tensor input_ids"));
        QVERIFY(refusal({{"input_ids", ids[0]}}).contains("shape [batch, sequence]"));
        QVERIFY(refusal({{"input_ids", ids.to(at::kFloat)}}).contains("must be integers, not F32"));
        const at::Tensor short_mask = at::ones({1, 3}, at::kLong);
        QVERIFY(refusal({{"input_ids", ids}, {"attention_mask", short_mask}}).contains("attention_mask has the shape [1, 3]"));
        QVERIFY(refusal({{"input_ids", ids * 100000}}).contains("vocabulary has 256 entries"));
    }
};

QTEST_GUILESS_MAIN(ForwardTest)
#include "tst_forward.moc"
