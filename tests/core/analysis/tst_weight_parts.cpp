#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <QTest>

#include "core/analysis/weight_histogram.h"
#include "core/analysis/weight_map.h"
#include "core/analysis/weight_measurement.h"

using namespace calibench;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

at::Tensor noise(int64_t rows, int64_t columns) { return at::arange(rows * columns, at::kDouble).mul(12.9898).sin().mul(43758.5453).frac().view({rows, columns}).to(at::kFloat); }

/// Whole levels of a quarter each, in groups of `group_rows` rows and all columns.
QuantizedWeight quarters(const at::Tensor& weight, int64_t group_rows) {
    QuantizedWeight quantized;
    quantized.args = QuantizationArgs{.num_bits = 4, .strategy = Strategy::Channel};
    quantized.levels = weight.nan_to_num(0).mul(4).round().to(at::kChar);
    quantized.scale = at::full({(weight.size(0) + group_rows - 1) / group_rows, 1}, 0.25f);
    quantized.group_rows = group_rows;
    quantized.group_columns = weight.size(1);
    return quantized;
}

at::Tensor as_tensor(const MapTile& tile) { return at::tensor(tile.values).view({tile.rows, tile.columns}); }

}  // namespace

/// What tst_weight_inspection does not see of the parts of an inspection.
class WeightPartsTest : public QObject {
    Q_OBJECT

    static MapTile error_map_of(const WeightRows& rows) {
        MapTile map = WeightMap::empty_coarse_map(rows.whole());
        (void)measure_weight(rows, &map);
        return map;
    }

private Q_SLOTS:
    void cleanup() { at::set_num_threads(1); }

    void measures_the_same_on_any_number_of_threads() {
        const at::Tensor weight = noise(301, 1500);
        const WeightRows rows(weight, quarters(weight, 1));
        at::set_num_threads(1);
        const WeightMeasurement alone = measure_weight(rows);
        at::set_num_threads(3);
        const WeightMeasurement together = measure_weight(rows);
        QVERIFY(alone.error_energy > 0);
        QVERIFY(alone.error_energy == together.error_energy && alone.facts.sqnr_db == together.facts.sqnr_db);
        for (size_t i = 0; i < alone.columns.size(); ++i) QVERIFY(alone.columns[i].error_energy == together.columns[i].error_energy);
        const double exact = (weight - weight.mul(4).round().div(4)).to(at::kDouble).square().sum().item<double>();
        QVERIFY(std::abs(alone.error_energy / exact - 1) < 1e-12);
    }

    void counts_decibels() {
        QCOMPARE(decibels(100, 1), 20.0);
        QCOMPARE(decibels(0, 0), std::numeric_limits<double>::infinity());
    }

    void makes_the_map_of_errors_by_the_way() {
        const at::Tensor weight = noise(37, 50);
        for (const int64_t group_rows : {1, 4, 8, 37}) {
            const WeightRows rows(weight, quarters(weight, group_rows));
            QCOMPARE(error_map_of(rows).values, WeightMap(rows).tile(WeightLayer::Error, rows.whole(), 10, 13).values);
        }
    }

    void makes_none_where_it_cannot() {
        const at::Tensor weight = noise(36, 50);
        QVERIFY(error_map_of(WeightRows(weight, quarters(weight, 3))).values.empty());  // strips end within cells
        weight[20][20] = not_a_number;
        QVERIFY(error_map_of(WeightRows(weight, quarters(weight, 1))).values.empty());
    }

    void shows_the_map_that_it_was_given() {
        const at::Tensor weight = noise(64, 64);
        const WeightRows rows(weight, quarters(weight, 1));
        WeightMap map(rows);
        MapTile given = WeightMap::empty_coarse_map(rows.whole());
        std::iota(given.values.begin(), given.values.end(), 1.0f);
        map.keep_coarse_map(WeightLayer::Error, given);
        QCOMPARE(map.tile(WeightLayer::Error, rows.whole(), 16, 16).values, given.values);
        QCOMPARE(map.tile(WeightLayer::Error, rows.whole(), 1, 1).values, std::vector<float>{256});
        const at::Tensor error = weight - weight.mul(4).round().div(4);
        QVERIFY(at::equal(as_tensor(map.tile(WeightLayer::Error, rows.whole(), 64, 64)), error));  // near by, values count
        QVERIFY(map.tile(WeightLayer::Error, {70, 0, 5, 5}, 4, 4).values.empty());
    }

    void shares_values_out_to_bins() {
        at::Tensor weight = at::full({3, 2000}, 0.5f);
        const auto histogram = [&](int bins, std::optional<ValueInterval> range = {}) {
            return make_histogram(WeightRows(weight, {}), WeightLayer::Weight, {0, 0, 3, 2000}, bins, range);
        };
        QCOMPARE(histogram(4).counts, (std::vector<int64_t>{6000, 0, 0, 0}));  // all the same
        QCOMPARE(histogram(4, ValueInterval{0, 1}).counts, (std::vector<int64_t>{0, 0, 6000, 0}));
        QCOMPARE(histogram(0).counts, std::vector<int64_t>{6000});
        weight.fill_(not_a_number);
        QCOMPARE(histogram(2).counts, (std::vector<int64_t>{0, 0}));
        QCOMPARE(histogram(2).low, 0.0);
    }

    void reads_groups_that_g_idx_deals_out() {
        const at::Tensor weight = noise(2, 6);
        QuantizedWeight quantized = quarters(weight, 1);
        quantized.scale = at::tensor({0.25f, 0.5f, 1.0f, 2.0f}).view({2, 2});
        quantized.column_group = at::tensor({0, 1, 1, 0, 1, 0}, at::kLong);
        const WeightRows rows(weight, quantized);
        const at::Tensor scale = quantized.scale.index_select(1, quantized.column_group), expected = quantized.levels.to(at::kFloat) * scale;
        for (int64_t row = 0; row < 2; ++row) {
            std::vector<float> values(6), scales(6);
            rows.read(WeightLayer::Quantized, row, 0, 6, values.data());
            rows.read(WeightLayer::Scale, row, 0, 6, scales.data());
            QVERIFY(at::equal(at::tensor(values), expected[row]));
            QVERIFY(at::equal(at::tensor(scales), scale[row]));
        }
    }
};

QTEST_GUILESS_MAIN(WeightPartsTest)
#include "tst_weight_parts.moc"
