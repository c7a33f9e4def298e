#include <QDir>
#include <QTest>

#include "core/base/error.h"
#include "core/models/causal_lm.h"
#include "tests/core/models/family_outputs.h"

using namespace calibench;

/// Every family against the logits and block outputs that transformers computed (tests/data/families, or another set of the same
/// layout in CALIBENCH_FAMILIES_DIR).
class DecoderFamiliesTest : public QObject {
    Q_OBJECT

    static QDir families() {
        const QString own = QStringLiteral(CALIBENCH_TEST_DATA "/families");
        return QDir(qEnvironmentVariable("CALIBENCH_FAMILIES_DIR", own));
    }
    static std::string folder(const QString& family) { return families().filePath(family).toStdString(); }

private Q_SLOTS:
    void equals_transformers_data() {
        QTest::addColumn<QString>("family");
        const QStringList names = families().entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name);
        QVERIFY2(!names.isEmpty(), qPrintable(families().path()));
        for (const QString& name : names) QTest::newRow(qPrintable(name)) << name;
    }
    void equals_transformers() {
        QFETCH(QString, family);
        const QString report = compare_with_expected(folder(family), largest_difference, 1e-4);
        QVERIFY2(report.isEmpty(), qPrintable(report));
    }

    /// Absolute positions do not matter to rotary attention, only distances: counting from the first token or from the padding
    /// is the same.
    void positions_may_start_anywhere() {
        at::NoGradGuard no_grad;
        const SafetensorsFile expected(folder("llama") + "/expected.safetensors");
        const at::Tensor mask = expected.tensor("attention_mask");
        const auto model = CausalLm::open(folder("llama"));
        const SequenceContext counted{.attention_mask = mask, .position_ids = (mask.cumsum(-1) - 1).clamp_min(0)};
        const FamilyOutputs outputs = run_model(*model, expected.tensor("input_ids"), counted);
        QVERIFY(largest_difference(outputs.logits, expected.tensor("logits"), mask) <= 1e-4);
    }

    /// A row without padding gives the same with no mask at all, which takes another attention kernel.
    void no_mask_equals_a_full_mask() {
        at::NoGradGuard no_grad;
        for (const char* family : {"llama", "mistral"}) {
            const SafetensorsFile expected(folder(family) + "/expected.safetensors");
            const auto model = CausalLm::open(folder(family));
            const FamilyOutputs outputs = run_model(*model, expected.tensor("input_ids").narrow(0, 0, 1), {});
            const at::Tensor logits = expected.tensor("logits").narrow(0, 0, 1);
            QVERIFY(largest_difference(outputs.logits, logits, at::ones({1, logits.size(1)})) <= 1e-4);
        }
    }

    void bfloat16_is_close() {
        at::NoGradGuard no_grad;
        const SafetensorsFile expected(folder("qwen3") + "/expected.safetensors");
        const at::Tensor mask = expected.tensor("attention_mask");
        const auto model = CausalLm::open(folder("qwen3"), {.dtype = at::kBFloat16});
        const FamilyOutputs outputs = run_model(*model, expected.tensor("input_ids"), {.attention_mask = mask});
        QCOMPARE(outputs.logits.scalar_type(), at::kBFloat16);
        const double spread = expected.tensor("logits").std().item<double>();
        QVERIFY(largest_difference(outputs.logits, expected.tensor("logits"), mask) < 0.2 * spread);
    }

    /// The tuner's view: gradients of a block's output reach every projection, experts with tokens included.
    void gradients_reach_every_weight() {
        for (const char* family : {"llama", "qwen3_moe"}) {
            const SafetensorsFile expected(folder(family) + "/expected.safetensors");
            const auto model = CausalLm::open(folder(family));
            const auto block = model->load_block(0);
            int called = 0;
            std::vector<at::Tensor> weights;
            std::vector<bool> used;
            for (Linear* linear : block->linears()) {
                linear->weight = linear->weight.clone().requires_grad_(true);
                linear->on_input = [&](const at::Tensor&) { ++called; };
                weights.push_back(linear->weight);
            }
            const at::Tensor output = block->forward(model->embed(expected.tensor("input_ids")), {});
            const auto gradients = torch::autograd::grad({output.square().mean()}, weights, {}, std::nullopt, false, /*allow_unused=*/true);
            int reached = 0;
            for (const at::Tensor& gradient : gradients) reached += gradient.defined() && gradient.abs().max().item<double>() > 0;
            QCOMPARE(reached, called);
            QVERIFY(called >= 7);
        }
    }

    void experts_see_their_own_tokens() {
        at::NoGradGuard no_grad;
        const SafetensorsFile expected(folder("qwen3_moe") + "/expected.safetensors");
        const auto model = CausalLm::open(folder("qwen3_moe"));
        const auto block = model->load_block(0);
        const at::Tensor input_ids = expected.tensor("input_ids");
        int64_t rows = 0;
        for (Linear* linear : block->linears()) {
            QVERIFY2(linear->name != "model.layers.0.mlp.gate", "the router is no projection");
            if (!linear->name.ends_with(".down_proj")) continue;
            linear->on_input = [&](const at::Tensor& input) {
                QCOMPARE(input.dim(), 2);
                rows += input.size(0);
            };
        }
        (void)block->forward(model->embed(input_ids), {});
        QCOMPARE(rows, input_ids.numel() * model->config().num_experts_per_tok);
    }

    void refuses_tokens_outside_the_vocabulary() {
        const auto model = CausalLm::open(folder("llama"));
        QVERIFY_THROWS_EXCEPTION(InputError, (void)model->embed(at::full({1, 2}, model->config().vocab_size, at::kLong)));
        QVERIFY_THROWS_EXCEPTION(InputError, (void)model->embed(at::full({1, 2}, -1, at::kLong)));
    }
};

QTEST_GUILESS_MAIN(DecoderFamiliesTest)
#include "tst_decoder_families.moc"
