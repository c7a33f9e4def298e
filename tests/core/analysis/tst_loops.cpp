#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <ATen/ATen.h>
#include <QTest>

#include "core/analysis/level_loops.h"
#include "core/analysis/picture_loops.h"
#include "core/analysis/sum_loops.h"
#include "core/kernels/cpu/lanes.h"

using namespace calibench;

namespace {

using Floats = std::vector<float>;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
constexpr float untouched = 12345;
constexpr int64_t counts[] = {1, 3, 4, 7, 8, 15, 16, 17, 33, 100, 1000};  // ends that no vector fills

/// Between -1 and 1, anything but even.
Floats noise(int64_t count, double step = 12.9898) {
    Floats values(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) values[size_t(i)] = static_cast<float>(std::remainder(std::sin(step * double(i + 1)) * 43758.5453, 2.0));
    return values;
}

at::Tensor as_tensor(const Floats& values) { return at::tensor(values); }
Floats as_floats(const at::Tensor& values) {
    const at::Tensor floats = values.to(at::kFloat).contiguous();
    return {floats.const_data_ptr<float>(), floats.const_data_ptr<float>() + floats.numel()};
}

float to_bfloat16(float value) { return static_cast<float>(c10::BFloat16(value)); }

/// By definition: of e2m1's levels the nearest one, of two the one with an even mantissa.
float nearest_e2m1(float x) {
    const float levels[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    int best = 0;
    for (int i = 1; i < 8; ++i) {
        const float gain = std::abs(std::abs(x) - levels[best]) - std::abs(std::abs(x) - levels[i]);
        if (gain > 0 || (gain == 0 && i % 2 == 0)) best = i;
    }
    return std::copysign(levels[best], x);
}

bool close(double actual, double expected) { return std::abs(actual - expected) <= 1e-12 * std::abs(expected); }

}  // namespace

/// The inspection's inner loops against plain arithmetic, with every instruction set that this processor has.
class LoopsTest : public QObject {
    Q_OBJECT

    /// Groups of three columns, as they lie in order, or as an older checkpoint's g_idx deals them out.
    struct Groups {
        explicit Groups(int64_t columns, bool in_order) : scale(noise(columns / 3 + 1, 5.1)), zero_point(scale.size()) {
            for (size_t i = 0; i < scale.size(); ++i) {
                scale[i] = 0.05f + std::abs(scale[i]) / 8;
                zero_point[i] = static_cast<float>(i % 5) - 2;
            }
            if (!in_order)
                for (int64_t i = 0; i < columns; ++i) column_group.push_back(i / 2 % static_cast<int64_t>(scale.size()));
            scales = {scale.data(), zero_point.data(), in_order ? nullptr : column_group.data(), 3, false};
        }
        Floats scale, zero_point;
        std::vector<int64_t> column_group;
        RowScales scales;
    };

private Q_SLOTS:
    void initTestCase_data() {
        QTest::addColumn<int>("widest");
        QTest::newRow("baseline") << int(lanes::InstructionSet::Baseline);
        QTest::newRow("AVX2") << int(lanes::InstructionSet::Avx2);
        QTest::newRow("AVX-512") << int(lanes::InstructionSet::Avx512);
    }
    void init() {
        QFETCH_GLOBAL(int, widest);
        lanes::limit_instruction_set(static_cast<lanes::InstructionSet>(widest));
    }
    void cleanupTestCase() { lanes::limit_instruction_set(lanes::InstructionSet::Avx512); }

    void widens_what_is_stored_in_few_bits() {
        for (const int64_t count : counts) {
            const Floats values = noise(count);
            std::vector<uint16_t> halves;
            std::vector<int8_t> bytes;
            Floats from_halves, from_bytes;
            for (const float value : values) {
                halves.push_back(c10::BFloat16(value).x);
                from_halves.push_back(to_bfloat16(value));
                bytes.push_back(static_cast<int8_t>(value * 128));
                from_bytes.push_back(bytes.back());
            }
            for (const bool of_bytes : {false, true}) {
                Floats out(static_cast<size_t>(count) + 1, untouched);
                of_bytes ? widen(bytes.data(), count, out.data()) : widen(halves.data(), count, out.data());
                QCOMPARE(out.back(), untouched);
                out.pop_back();
                QCOMPARE(out, of_bytes ? from_bytes : from_halves);
            }
        }
    }

    void finds_the_nearest_level_data() {
        QTest::addColumn<int>("kind");
        QTest::addColumn<bool>("in_bfloat16");
        QTest::addColumn<bool>("in_order");
        const std::pair<const char*, LevelKind> kinds[] = {{"int4", LevelKind::Whole}, {"e4m3", LevelKind::E4m3}, {"e2m1", LevelKind::E2m1}};
        for (const auto& [name, kind] : kinds)
            for (const bool in_bfloat16 : {false, true})
                for (const bool in_order : {true, false})
                    QTest::addRow("%s, %s, %s", name, in_bfloat16 ? "bfloat16" : "float32", in_order ? "in order" : "dealt out") << int(kind) << in_bfloat16 << in_order;
    }
    void finds_the_nearest_level() {
        QFETCH(int, kind);
        QFETCH(bool, in_bfloat16);
        QFETCH(bool, in_order);
        const auto level_kind = static_cast<LevelKind>(kind);
        const float most = level_kind == LevelKind::Whole ? 7 : level_kind == LevelKind::E4m3 ? 448 : 6;
        const float low = level_kind == LevelKind::Whole ? -8 : -most;
        for (const int64_t count : counts) {
            const Groups groups(count + 2, in_order);
            Floats weight = noise(count), levels(static_cast<size_t>(count) + 1, untouched);
            for (size_t i = 0; i < weight.size(); ++i)  // from ties to far beyond the last level
                weight[i] = i % 3 == 0 ? weight[i] : std::round(weight[i] * 32) / 4 * groups.scale[size_t(groups.scales.group_of(int64_t(i) + 2))];
            const RowRounding rounding{groups.scale.data(), groups.zero_point.data(), level_kind, low, most, in_bfloat16};
            round_to_levels(groups.scales, rounding, weight.data(), 2, count, levels.data());
            QCOMPARE(levels.back(), untouched);
            for (int64_t i = 0; i < count; ++i) {
                const auto group = size_t(groups.scales.group_of(i + 2));
                const auto narrowed = [&](float x) { return in_bfloat16 ? to_bfloat16(x) : x; };
                const float x = std::clamp(narrowed(narrowed(weight[size_t(i)] / groups.scale[group]) + groups.zero_point[group]), low, most);
                const float expected = level_kind == LevelKind::Whole  ? std::nearbyint(x)
                                       : level_kind == LevelKind::E4m3 ? static_cast<float>(c10::Float8_e4m3fn(x))
                                                                       : nearest_e2m1(x);
                QCOMPARE(levels[size_t(i)], expected);
            }
        }
    }

    void restores_values_from_levels() {
        for (const int64_t count : counts) {
            for (const bool in_bfloat16 : {false, true}) {
                Groups groups(count + 2, count % 2 == 0);
                groups.scales.in_bfloat16 = in_bfloat16;
                Floats levels(static_cast<size_t>(count)), out(levels.size() + 1, untouched);
                for (size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<float>(i % 16) - 8;
                restore(groups.scales, levels.data(), 2, count, out.data());
                Floats expected;
                for (int64_t i = 0; i < count; ++i) {
                    const auto group = size_t(groups.scales.group_of(i + 2));
                    const float value = (levels[size_t(i)] - groups.zero_point[group]) * groups.scale[group];
                    expected.push_back(in_bfloat16 ? to_bfloat16(value) : value);
                }
                expected.push_back(untouched);
                QCOMPARE(out, expected);  // bit by bit: comparing single floats allows for rounding
            }
        }
    }

    void takes_differences_and_leaves_out_what_is_not_finite() {
        for (const int64_t count : counts) {
            Floats weight = noise(count), out = noise(count, 3.3);
            const Floats difference = as_floats(as_tensor(weight) - as_tensor(out));
            take_from(weight.data(), count, out.data());
            QCOMPARE(out, difference);
            weight.front() = infinity;
            weight.back() = not_a_number;
            leave_out_not_finite(weight.data(), count, out.data());
            for (size_t i = 0; i < out.size(); ++i) QVERIFY(std::isfinite(weight[i]) ? out[i] == difference[i] : std::isnan(out[i]));
        }
    }

    void sums_up_groups_and_rows_data() {
        QTest::addColumn<bool>("all_finite");
        QTest::newRow("all finite") << true;
        QTest::newRow("with NaN and infinity") << false;
    }
    void sums_up_groups_and_rows() {
        QFETCH(bool, all_finite);
        for (const int64_t count : counts) {
            if (!all_finite && count < 4) continue;
            const Groups groups(count, count % 2 == 1);
            const LevelBounds bounds{-8.5f, 7.5f};
            Floats weight = noise(count), levels(weight.size()), quantized(weight.size()), error(weight.size());
            const RowRounding rounding{groups.scale.data(), groups.zero_point.data(), LevelKind::Whole, -8, 7, false};
            round_to_levels(groups.scales, rounding, weight.data(), 0, count, levels.data());
            restore(groups.scales, levels.data(), 0, count, quantized.data());
            const at::Tensor w = as_tensor(weight), wq = as_tensor(quantized), of_level = as_tensor(levels);
            if (!all_finite) {
                weight[1] = not_a_number;
                weight[size_t(count) - 1] = -infinity;
            }
            std::vector<GroupSums> sums(groups.scale.size());
            RowSums row;
            measure({weight.data(), levels.data(), quantized.data(), error.data(), 0, count}, groups.scales, bounds, sums.data(), row);

            std::vector<int64_t> kept;
            std::vector<std::vector<int64_t>> columns_of(sums.size());
            int64_t outside = 0;
            for (int64_t i = 0; i < count; ++i) {
                if (!all_finite && (i == 1 || i == count - 1)) {
                    QVERIFY(weight[size_t(i)] == 0 && std::isnan(levels[size_t(i)]) && std::isnan(quantized[size_t(i)]) && error[size_t(i)] == 0);
                    continue;
                }
                const auto group = size_t(groups.scales.group_of(i));
                kept.push_back(i);
                columns_of[group].push_back(i);
                const auto end = [&](float level) { return (level - groups.zero_point[group]) * groups.scale[group] * (1 + 0x1p-8f); };
                outside += weight[size_t(i)] < end(bounds.low) || weight[size_t(i)] > end(bounds.high);
            }
            const auto picked = [](const at::Tensor& from, const std::vector<int64_t>& columns) { return from.index_select(0, at::tensor(columns)); };
            const auto energy = [](const at::Tensor& x) { return x.to(at::kDouble).square().sum().item<double>(); };
            const auto least = [](const at::Tensor& x) { return x.min().item<float>(); };
            const auto most = [](const at::Tensor& x) { return x.max().item<float>(); };
            QVERIFY(close(row.weight_energy, energy(picked(w, kept))) && close(row.error_energy, energy(picked(w - wq, kept))));
            QCOMPARE(row.low, all_finite ? least(w) : least(picked(w, kept)));
            QCOMPARE(row.high, most(picked(w, kept)));
            QCOMPARE(row.low_quantized, least(picked(wq, kept)));
            QCOMPARE(row.high_level, most(picked(of_level, kept)));
            QCOMPARE(row.max_abs_error(), most(picked((w - wq).abs(), kept)));
            QCOMPARE(row.num_not_finite, all_finite ? 0 : 2);
            QCOMPARE(row.num_outside, outside);
            for (size_t group = 0; group < sums.size(); ++group) {
                QCOMPARE(sums[group].count, int64_t(columns_of[group].size()));
                if (columns_of[group].empty()) continue;
                QVERIFY(close(sums[group].error_energy, energy(picked(w - wq, columns_of[group]))));
                QCOMPARE(sums[group].low, least(picked(w, columns_of[group])));
                QCOMPARE(sums[group].high, most(picked(w, columns_of[group])));
                QCOMPARE(sums[group].low_level, least(picked(of_level, columns_of[group])));
            }
        }
    }

    void sums_up_columns() {
        constexpr int64_t rows = 3, stride = 1024;
        const Floats weight = noise(rows * stride), error = noise(rows * stride, 7.7);
        for (const int64_t count : counts) {
            std::vector<double> weight_energy(size_t(count) + 1, 1.0), error_energy(weight_energy);  // what is there already counts
            Floats largest(size_t(count) + 1, 0.25f);
            add_to_columns({weight.data(), error.data(), rows, stride, count}, {weight_energy.data(), error_energy.data(), largest.data()});
            QVERIFY(weight_energy.back() == 1 && error_energy.back() == 1 && largest.back() == 0.25f);
            const auto block = [&](const Floats& values) { return as_tensor(values).view({rows, stride}).narrow(1, 0, count).to(at::kDouble); };
            for (int64_t i = 0; i < count; ++i) {
                QVERIFY(close(weight_energy[size_t(i)], 1 + block(weight).select(1, i).square().sum().item<double>()));
                QVERIFY(close(error_energy[size_t(i)], 1 + block(error).select(1, i).square().sum().item<double>()));
                QCOMPARE(double(largest[size_t(i)]), std::max(0.25, block(error).select(1, i).abs().max().item<double>()));
            }
        }
    }

    void sorts_into_bins() {
        const BinRule rule{-1, 5, 10};
        for (const int64_t count : counts) {
            Floats values = noise(count);
            values.front() = 1;  // the end of the last bin belongs to it
            if (count > 1) values.back() = not_a_number;
            std::vector<int32_t> bins(values.size());
            find_bins(rule, values.data(), count, bins.data());
            for (size_t i = 0; i < values.size(); ++i) QCOMPARE(bins[i], std::isnan(values[i]) ? 10 : std::min(9, int((double(values[i]) + 1) * 5)));
        }
    }

    void finds_the_largest_of_every_cell() {
        constexpr int64_t rows = 4, stride = 1024;
        Floats values = noise(rows * stride);
        values[2] = -(values[0] = 3);  // of equal ones the positive
        for (const int64_t count : counts) {
            const int64_t cells = (count + coarse_cell - 1) / coarse_cell;
            Floats found(size_t(cells) + 1, untouched);
            find_cells(values.data(), rows, stride, count, found.data());
            QCOMPARE(found.back(), untouched);
            for (int64_t cell = 0; cell < cells; ++cell) {
                const at::Tensor part = as_tensor(values).view({rows, stride}).narrow(1, 0, count).slice(1, cell * coarse_cell, (cell + 1) * coarse_cell);
                const float least = part.min().item<float>(), most = part.max().item<float>();
                QCOMPARE(found[size_t(cell)], most >= -least ? most : least);
            }
        }
    }

    void widens_ranges() {
        for (const int64_t count : counts) {
            Floats values = noise(count), low(size_t(count), 0.1f), high(size_t(count), 0.2f);
            values.front() = not_a_number;
            widen_range(values.data(), count, low.data(), high.data());
            for (size_t i = 0; i < values.size(); ++i) {
                QCOMPARE(low[i], i == 0 ? 0.1f : std::min(0.1f, values[i]));
                QCOMPARE(high[i], i == 0 ? 0.2f : std::max(0.2f, values[i]));
            }
        }
    }
};

QTEST_GUILESS_MAIN(LoopsTest)
#include "tst_loops.moc"
