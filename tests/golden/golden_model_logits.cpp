#include <ATen/ATen.h>

#include <QtTest/QTest>

#include "core/models/causal_lm.h"
#include "tests/golden/golden_set.h"

using namespace calibench;
using namespace calibench::testing;

/// Logits, losses and block outputs of SmolLM2-135M-Instruct in float32. The model is no part of the sources: its directory is
/// named by CALIBENCH_SMOLLM2_DIR.
class GoldenModelLogits : public QObject {
    Q_OBJECT

    const GoldenSet set_{"model_logits"};

    static double number(const GoldenCase& golden, const std::string& name) { return golden.expected.at(name).get<double>(); }

    /// "block15_absmax" and the like, under whichever number the block has.
    static void compare_block(const GoldenCase& golden, int64_t index, const at::Tensor& hidden) {
        const std::string prefix = "block" + std::to_string(index) + "_";
        const auto compare = [&](const char* what, double actual) {
            if (golden.expects(prefix + what))
                GOLDEN_COMPARE(compare_close(prefix + what, actual, number(golden, prefix + what), 1e-4, 1e-6));
        };
        compare("mean", hidden.mean().item<double>());
        compare("absmax", hidden.abs().max().item<double>());
        compare("rms", hidden.square().mean().sqrt().item<double>());
        if (golden.expects(prefix + "last_hidden"))
            GOLDEN_COMPARE(compare_close(prefix + "last_hidden", hidden[0][-1], golden.expected_tensor(prefix + "last_hidden"), 1e-4,
                                         1e-3));
    }

    static void compare_last_position(const GoldenCase& golden, const at::Tensor& logits) {
        const double atol = 2e-3;
        // Values within the tolerance may swap places, so the values are looked up by the reference's ids, then sorted on their own.
        const auto ids = golden.expected.at("top20_ids").get<std::vector<int64_t>>();
        const at::Tensor values = golden.expected_tensor("top20_values");
        GOLDEN_COMPARE(compare_close("logits of top20_ids", logits.index_select(0, at::tensor(ids)), values, 0, atol));
        GOLDEN_COMPARE(compare_close("top20_values", std::get<0>(at::topk(logits, values.size(0))), values, 0, atol));
        GOLDEN_COMPARE(compare_close("last_logits_mean", logits.mean().item<double>(), number(golden, "last_logits_mean"), 0, atol));
        GOLDEN_COMPARE(compare_close("last_logsumexp", at::logsumexp(logits, 0).item<double>(), number(golden, "last_logsumexp"), 0, atol));
    }

private Q_SLOTS:
    void equals_reference_data() { set_.add_rows(); }
    void equals_reference() {
        if (!qEnvironmentVariableIsSet("CALIBENCH_SMOLLM2_DIR"))
            QSKIP("Set CALIBENCH_SMOLLM2_DIR to a directory of SmolLM2-135M-Instruct to compare with its reference logits.");
        at::NoGradGuard no_grad;
        const GoldenCase& golden = set_.current();
        const auto model = CausalLm::open(qEnvironmentVariable("CALIBENCH_SMOLLM2_DIR").toStdString());
        const at::Tensor input_ids = golden.input("input_ids").view({1, -1});
        at::Tensor hidden = model->embed(input_ids);
        GOLDEN_COMPARE(compare_close("embedding_mean", hidden.mean().item<double>(), number(golden, "embedding_mean"), 1e-4, 1e-8));
        for (int64_t i = 0; i < model->config().num_hidden_layers; ++i) {
            hidden = model->load_block(i)->forward(hidden, {});
            compare_block(golden, i, hidden);
            if (QTest::currentTestFailed()) return;
        }
        const at::Tensor logits = model->logits(hidden)[0];
        compare_last_position(golden, logits[-1]);
        if (QTest::currentTestFailed()) return;

        const at::Tensor log_probabilities = at::log_softmax(logits, -1).narrow(0, 0, logits.size(0) - 1);
        const at::Tensor nll = -log_probabilities.gather(1, input_ids[0].narrow(0, 1, logits.size(0) - 1).unsqueeze(1)).squeeze(1);
        GOLDEN_COMPARE(compare_close("nll", nll, golden.expected_tensor("nll"), 1e-4, 1e-4));
        GOLDEN_COMPARE(compare_close("mean_nll", nll.mean().item<double>(), number(golden, "mean_nll"), 1e-4, 0));
        const auto argmax = golden.expected.at("argmax_ids").get<std::vector<int64_t>>();
        QVERIFY(at::equal(logits.argmax(-1), at::tensor(argmax)));
    }
};

QTEST_GUILESS_MAIN(GoldenModelLogits)
#include "golden_model_logits.moc"
