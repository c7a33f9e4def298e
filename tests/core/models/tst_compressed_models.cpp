#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/error.h"
#include "core/models/model_summary.h"
#include "tests/core/models/family_outputs.h"
#include "tests/core/models/raw_safetensors.h"

using namespace calibench;
namespace fs = std::filesystem;

/// Checkpoints that llm-compressor exported, against what transformers computes from them (tests/data/compressed).
class CompressedModelsTest : public QObject {
    Q_OBJECT

    static fs::path folder(const QString& name) { return QDir(CALIBENCH_TEST_DATA "/compressed").filePath(name).toStdString(); }
    static const ModuleInfo& module(const ModelSummary& summary, const std::string& name) {
        return *std::find_if(summary.modules.begin(), summary.modules.end(), [&](const ModuleInfo& info) { return info.name == name; });
    }

    static constexpr double kMeanBound = 1e-3;

private Q_SLOTS:
    void equals_transformers_data() {
        QTest::addColumn<QString>("name");
        const QStringList names = QDir(CALIBENCH_TEST_DATA "/compressed").entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name);
        QCOMPARE(names.size(), 5);
        for (const QString& name : names) QTest::newRow(qPrintable(name)) << name;
    }
    void equals_transformers() {
        QFETCH(QString, name);
        // Where activations are rounded, noise in the last bit may flip one of them by a whole step; so the mean decides there.
        const bool weights_only = name.startsWith("w4a16");
        const QString report = weights_only ? compare_with_expected(folder(name).string(), largest_difference, 1e-4)
                                            : compare_with_expected(folder(name).string(), relative_difference, kMeanBound);
        QVERIFY2(report.isEmpty(), qPrintable(report));
    }

    /// The bound of the test above is tight enough to notice activations that are not quantized.
    void activations_are_quantized() {
        const at::NoGradGuard no_grad;
        for (const char* name : {"w8a8_dynamic", "w8a8_static", "fp8_dynamic"}) {
            const SafetensorsFile expected(folder(name) / "expected.safetensors");
            const auto model = CausalLm::open(folder(name));
            const auto block = model->load_block(0);
            for (Linear* linear : block->linears()) linear->transform_input = nullptr;
            const at::Tensor mask = expected.tensor("attention_mask");
            const at::Tensor hidden = block->forward(model->embed(expected.tensor("input_ids")), {.attention_mask = mask});
            const double off = relative_difference(hidden, expected.tensor("hidden_0"), mask);
            QVERIFY2(off > 3 * kMeanBound, qPrintable(QStringLiteral("%1: %2").arg(name).arg(off)));
        }
    }

    void summary_names_the_scheme() {
        const ModelSummary summary = inspect_model(folder("w4a16_experts"));
        QCOMPARE(summary.quantization_format, std::string("pack-quantized"));
        const ModuleInfo& expert = module(summary, "model.layers.0.mlp.experts.3.up_proj");
        QVERIFY(!expert.scheme.empty());
        QCOMPARE(expert.dtype, std::string("I32"));
        QCOMPARE(expert.shape, (std::vector<int64_t>{48, 64}));
        QCOMPARE(expert.num_bytes, 48 * 64 / 2 + 48 * 4 * 4 + 2 * 8);  // packed, scales of groups of 16, weight_shape
        for (const char* dense : {"lm_head", "model.layers.0.self_attn.k_proj", "model.layers.0.mlp.gate", "model.embed_tokens"})
            QVERIFY2(module(summary, dense).scheme.empty(), dense);
    }

    void says_which_part_of_a_module_is_missing() {
        const QTemporaryDir target;
        const fs::path copy = fs::path(target.path().toStdString()) / "model";
        fs::copy(folder("w4a16_asym"), copy);
        std::string bytes = read_bytes(copy / "model.safetensors");
        const std::string name = "model.layers.0.mlp.up_proj.weight_packed";
        bytes.replace(bytes.find(name), name.size(), "model.layers.0.mlp.up_proj.weight_pocked");
        write_bytes(copy / "model.safetensors", bytes);
        try {
            (void)CausalLm::open(copy);
            QFAIL("accepted");
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains("model.layers.0.mlp.up_proj.weight_packed"), error.what());
        }
    }
};

QTEST_GUILESS_MAIN(CompressedModelsTest)
#include "tst_compressed_models.moc"
