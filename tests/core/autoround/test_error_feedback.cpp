#include <QtTest/QTest>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/autoround/error_feedback.h"
#include "core/autoround/input_products.h"

using namespace calibench;

namespace {

constexpr int64_t rows = 24, columns = 160, groups = 5;

struct Bench {
    Bench() {
        auto generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{3});
        const auto random = [&](at::IntArrayRef size) { return at::randn(size, generator, at::kFloat); };
        weight = random({rows, columns});
        inputs = random({4000, 40}).mm(random({40, columns})) + 0.3 * random({4000, columns});
        grid.scale = 0.5 * (1 + at::rand({rows, groups}, generator, at::kFloat));
        grid.scale.select(1, 1).neg_();
        grid.low = at::full_like(grid.scale, -4);
        grid.high = at::full_like(grid.scale, 3);
        grid.low.select(1, 2).fill_(-1);
        grid.high.select(1, 2).fill_(6);
    }
    static at::Tensor by_column(const at::Tensor& x) { return x.repeat_interleave(columns / groups, 1); }
    at::Tensor nearest() const {
        return (weight / by_column(grid.scale)).round().maximum(by_column(grid.low)).minimum(by_column(grid.high));
    }
    /// Of the outputs.
    double error(const at::Tensor& levels) const {
        return inputs.mm((levels * by_column(grid.scale) - weight).t()).square().mean().item<double>();
    }
    at::Tensor products() const { return inputs.t().mm(inputs); }

    at::Tensor weight, inputs;
    LevelGrid grid;
};

}  // namespace

class TestErrorFeedback : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void unrelated_inputs_leave_every_weight_to_itself() {
        const Bench bench;
        const at::Tensor levels = round_with_feedback(bench.weight, bench.grid, at::diag(at::linspace(1, 2, columns, at::kFloat)));
        QVERIFY(levels.equal(bench.nearest()));
    }

    void nothing_known_is_rounding_to_nearest() {
        const Bench bench;
        QVERIFY(round_with_feedback(bench.weight, bench.grid, {}).equal(bench.nearest()));
        QVERIFY(round_with_feedback(bench.weight, bench.grid, at::zeros({columns, columns})).equal(bench.nearest()));
        QVERIFY(round_with_feedback(bench.weight, bench.grid, at::full({columns, columns}, NAN)).equal(bench.nearest()));
    }

    void related_inputs_make_good_each_others_errors() {
        const Bench bench;
        const at::Tensor levels = round_with_feedback(bench.weight, bench.grid, bench.products());
        QVERIFY(bench.error(levels) < 0.5 * bench.error(bench.nearest()));
        QVERIFY(levels.equal(levels.round()));
        QVERIFY(levels.ge(Bench::by_column(bench.grid.low)).all().item<bool>());
        QVERIFY(levels.le(Bench::by_column(bench.grid.high)).all().item<bool>());
        QVERIFY(levels.equal(round_with_feedback(bench.weight, bench.grid, bench.products())));
    }

    void a_column_without_input_stays_finite() {
        Bench bench;
        bench.inputs.select(1, 7).zero_();
        const at::Tensor levels = round_with_feedback(bench.weight, bench.grid, bench.products());
        QVERIFY(levels.isfinite().all().item<bool>());
        QVERIFY(bench.error(levels) < 0.5 * bench.error(bench.nearest()));
    }

    void a_weight_makes_up_for_what_its_inputs_tell() {
        const Bench bench;
        const at::Tensor lacking = 0.1 * bench.weight.flip(0);  // outputs lack x lacking^T
        const at::Tensor errors = bench.inputs.mm(lacking.t());
        const at::Tensor corrected = correct_weight(bench.weight, bench.products(), errors.t().mm(bench.inputs));
        const double before = errors.square().mean().item<double>();
        const double after = (errors - bench.inputs.mm((corrected - bench.weight).t())).square().mean().item<double>();
        QVERIFY(after < 0.25 * before);

        // Inputs of one size that have nothing in common: a known share of what is lacking.
        const at::Tensor identity = at::eye(columns);
        const at::Tensor made_up_for = correct_weight(bench.weight, identity, lacking) - bench.weight;
        QVERIFY(made_up_for.allclose(lacking / 3, 1e-3, 1e-6));
    }

    void what_enters_a_linear_is_summed() {
        const Bench bench;
        const at::Tensor batch = bench.inputs.slice(0, 0, 24).view({4, 6, columns});
        const at::Tensor mask = at::ones({4, 6}, at::kBool);
        mask.slice(1, 4).fill_(false);
        Linear linear{"proj", bench.weight, {}, {}, {}, {}};
        int seen = 0;
        linear.on_input = [&](const at::Tensor&) { ++seen; };
        at::Tensor twice;
        {
            InputProducts products(linear);
            products.set_mask(mask);
            const at::Tensor output = linear.forward(batch);
            products.add_error(output);
            (void)linear.forward(batch);
            const at::Tensor kept = batch.slice(1, 0, 4).reshape({-1, columns});
            QVERIFY(products.inputs().allclose(2 * kept.t().mm(kept), 1e-4, 1e-3));
            QVERIFY(products.errors().allclose(kept.mm(bench.weight.t()).t().mm(kept), 1e-4, 1e-2));
        }
        (void)linear.forward(batch);
        QCOMPARE(seen, 3);
    }
};

QTEST_GUILESS_MAIN(TestErrorFeedback)
#include "test_error_feedback.moc"
