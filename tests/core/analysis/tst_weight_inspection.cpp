#include <cmath>
#include <filesystem>
#include <limits>

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QTest>

#include "core/analysis/weight_inspection.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/module_observers.h"
#include "core/calibration/run.h"
#include "core/checkpoint/compressor.h"
#include "core/models/module_plan.h"
#include "core/models/weight_store.h"
#include "core/recipe/recipe.h"
#include "tests/core/analysis/edited_model.h"
#include "tests/core/calibration/recorder.h"

using namespace calibench;
using namespace calibench::testing;
namespace fs = std::filesystem;

namespace {

const fs::path demo = fs::path(CALIBENCH_RESOURCES) / "demo";
const std::string llama = "tiny-llama-shakespeare", moe = "tiny-qwen3-moe-shakespeare";
const std::string gate = "model.layers.0.mlp.gate_proj";

/// The weight that a reader computes with, in float32, by the way in which models are loaded.
at::Tensor reopened_weight(const fs::path& export_dir, const std::string& module) {
    const WeightStore store(export_dir, {at::kFloat, at::kCPU});
    for (const ModuleSpec& spec : {embedding_module(store.config()), head_module(store.config())})
        if (spec.name == module) return store.weight(spec).clone();
    for (int64_t block = 0; block < store.config().num_hidden_layers; ++block)
        for (const ModuleSpec& spec : block_modules(store.config(), block))
            if (spec.name == module) return store.weight(spec).clone();
    return {};
}

at::Tensor as_tensor(const MapTile& tile) {
    return at::tensor(tile.values).view({tile.rows, tile.columns});
}

double energy(const at::Tensor& values) {
    return values.to(at::kDouble).square().sum().item<double>();
}

double decibels(const at::Tensor& signal, const at::Tensor& noise) {
    return 10 * std::log10(energy(signal) / energy(noise));
}

bool close(double actual, double expected, double relative = 1e-10) {
    return actual == expected || std::abs(actual - expected) <= relative * std::abs(expected);
}

/// By LibTorch: what a map's cell has to show.
float largest_magnitude(const at::Tensor& values) {
    const float low = values.min().item<float>(), high = values.max().item<float>();
    return high >= -low ? high : low;
}

}  // namespace

/// The numbers of the microscope against plain LibTorch, and against what runs write.
class WeightInspectionTest : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const std::string& name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] fs::path copy_of(const std::string& model) const {
        fs::copy(demo / model, path(model));
        return path(model);
    }
    [[nodiscard]] RunConfig config(const std::string& model, const std::string& modifier) const {
        RunConfig config;
        config.model_dir = demo / model;
        config.recipe_yaml = concat("quant_stage:\n  quant_modifiers:\n    ", modifier, "\n");
        config.output_dir = path("out");
        config.num_samples = 2;
        config.seq_len = 32;
        config.device = "cpu";
        config.threads = 1;
        return config;
    }
    static void run(const RunConfig& config) {
        Recorder recorder;
        RunControl control;
        run_calibration(config, recorder, control);
    }
    static QString error_of(const WeightRequest& request) {
        try {
            (void)inspect_weight(request);
        } catch (const Error& error) {
            return error.what();
        }
        return "accepted";
    }

    static void compare_facts(const WeightInspection& inspection, const at::Tensor& weight, const at::Tensor& quantized) {
        const WeightFacts& facts = inspection.facts();
        const at::Tensor w = weight.to(at::kFloat), error = w - quantized;
        QCOMPARE(facts.rows, w.size(0));
        QCOMPARE(facts.columns, w.size(1));
        QCOMPARE(facts.min, w.min().item<double>());
        QCOMPARE(facts.max, w.max().item<double>());
        QVERIFY(close(facts.sqnr_db, decibels(w, error)));
        QCOMPARE(facts.max_abs_error, error.abs().max().item<double>());
        const at::Tensor places = at::nonzero(error.abs() == error.abs().max());
        QCOMPARE(facts.max_error_row, places[0][0].item<int64_t>());
        QCOMPARE(facts.max_error_column, places[0][1].item<int64_t>());
        QCOMPARE(facts.num_not_finite, 0);
        compare_groups(facts, w, error);
        compare_channels(inspection.worst_rows(5), w, error);
        compare_channels(inspection.worst_columns(5), w.t(), error.t());
        const auto whole = [&](WeightLayer layer) { return as_tensor(inspection.map(layer, {0, 0, w.size(0), w.size(1)}, w.size(0), w.size(1))); };
        QVERIFY(at::equal(whole(WeightLayer::Weight), w));
        QVERIFY(at::equal(whole(WeightLayer::Quantized), quantized));
        QVERIFY(at::equal(whole(WeightLayer::Error), error));
        compare_levels(inspection, quantized);
    }

    static void compare_groups(const WeightFacts& facts, const at::Tensor& w, const at::Tensor& error) {
        double worst = std::numeric_limits<double>::infinity(), outliers = 0;
        for (int64_t row = 0; row < w.size(0); row += facts.group_rows) {
            for (int64_t column = 0; column < w.size(1); column += facts.group_columns) {
                const auto group = [&](const at::Tensor& all) {
                    return all.slice(0, row, row + facts.group_rows).slice(1, column, column + facts.group_columns);
                };
                worst = std::min(worst, decibels(group(w), group(error)));
                const auto count = static_cast<double>(group(w).numel());
                outliers = std::max(outliers, group(w).abs().max().item<double>() / std::sqrt(energy(group(w)) / count));
            }
        }
        QVERIFY(close(facts.worst_group_sqnr_db, worst));
        QVERIFY(close(facts.outlier_ratio, outliers));
    }

    static void compare_channels(const std::vector<ChannelError>& worst, const at::Tensor& w, const at::Tensor& error) {
        const at::Tensor noise = error.to(at::kDouble).square().sum(1);
        const auto [most, index] = noise.topk(static_cast<int64_t>(worst.size()));
        for (size_t i = 0; i < worst.size(); ++i) {
            const int64_t channel = worst[i].index;
            QCOMPARE(channel, index[int64_t(i)].item<int64_t>());
            QVERIFY(close(worst[i].error_share, most[int64_t(i)].item<double>() / energy(error)));
            QVERIFY(close(worst[i].sqnr_db, decibels(w[channel], error[channel])));
            QCOMPARE(worst[i].max_abs_error, error[channel].abs().max().item<double>());
        }
    }

    /// Whatever a group holds is among its levels, and they are as many as the format has.
    static void compare_levels(const WeightInspection& inspection, const at::Tensor& quantized) {
        const WeightFacts& facts = inspection.facts();
        const int64_t row = facts.max_error_row, column = facts.max_error_column;
        const std::vector<double> levels = inspection.levels(row, column);
        QVERIFY(std::is_sorted(levels.begin(), levels.end()));
        const int64_t top = row / facts.group_rows * facts.group_rows, left = column / facts.group_columns * facts.group_columns;
        const at::Tensor group = quantized.slice(0, top, top + facts.group_rows).slice(1, left, left + facts.group_columns);
        const at::Tensor grid = at::tensor(levels);
        QVERIFY(at::isin(group.to(at::kDouble), grid).all().item<bool>());
    }

private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }

    void agrees_with_the_checkpoint_of_a_run_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("module");
        QTest::addColumn<QString>("weights");
        QTest::addColumn<int>("num_levels");
        const auto add = [](const char* name, const char* weights, int num_levels, const std::string& model = llama, const std::string& module = gate) {
            QTest::addRow("%s", name) << QString::fromStdString(model) << QString::fromStdString(module) << QString(weights) << num_levels;
        };
        add("W4", "{num_bits: 4, type: int, strategy: group, group_size: 64}", 16);
        add("W3 asymmetric", "{num_bits: 3, type: int, strategy: group, group_size: 32, symmetric: false}", 8);
        add("W4, percentile", "{num_bits: 4, type: int, strategy: channel, observer: histogram, observer_kwargs: {percentile: 99}}", 16);
        add("W4, mse", "{num_bits: 4, type: int, strategy: group, group_size: 128, observer: mse}", 16);
        add("W8 channel", "{num_bits: 8, type: int, strategy: channel}", 256);
        add("W8 tensor", "{num_bits: 8, type: int, strategy: tensor, symmetric: false}", 256);
        add("FP8 channel", "{num_bits: 8, type: float, strategy: channel}", 253);
        add("FP8 block", "{num_bits: 8, type: float, strategy: block, block_structure: [96, 64]}", 253);
        add("NVFP4, shared scale", "{num_bits: 4, type: float, strategy: tensor_group, group_size: 16, scale_dtype: torch.float8_e4m3fn, zp_dtype: torch.float8_e4m3fn}", 15);
        add("MXFP4", "{num_bits: 4, type: float, strategy: group, group_size: 32, scale_dtype: torch.uint8, zp_dtype: torch.uint8}", 15);
        add("MXFP8", "{num_bits: 8, type: float, strategy: group, group_size: 32, scale_dtype: torch.uint8, zp_dtype: torch.uint8}", 253);
        add("expert", "{num_bits: 4, type: int, strategy: group, group_size: 32}", 16, moe, "model.layers.1.mlp.experts.3.down_proj");
        add("tied head", "{num_bits: 8, type: int, strategy: channel}", 256, moe, "lm_head");
        add("embedding", "{num_bits: 8, type: int, strategy: channel}", 256, moe, "model.embed_tokens");
    }
    void agrees_with_the_checkpoint_of_a_run() {
        QFETCH(QString, model);
        QFETCH(QString, module);
        QFETCH(QString, weights);
        QFETCH(int, num_levels);
        const std::string modifier = concat("QuantizationModifier: {targets: [Linear, Embedding], config_groups: {a: {targets: [Linear, Embedding], weights: ",
                                            weights.toStdString(), "}}}");
        const RunConfig config = this->config(model.toStdString(), modifier);
        run(config);
        const ParsedRecipe parsed = parse_recipe(config.recipe_yaml);
        const QuantizationArgs args = *parsed.recipe->modifiers.front().config_groups.front().second.weights;

        const WeightRequest asked{.model_dir = config.model_dir, .module = module.toStdString(), .weights = args};
        const WeightRequest exported{.model_dir = config.model_dir, .module = module.toStdString(), .checkpoint_dir = config.output_dir};
        const std::string tensor = module == "lm_head" ? "model.embed_tokens" : asked.module;
        const at::Tensor weight = stored_tensor(config.model_dir, tensor + ".weight");
        const at::Tensor quantized = reopened_weight(config.output_dir, tensor);
        for (const WeightRequest& request : {asked, exported}) {
            const auto inspection = inspect_weight(request);
            QCOMPARE(inspection->facts().module, asked.module);
            QCOMPARE(inspection->facts().scheme, describe(args));
            compare_facts(*inspection, weight, quantized);
            if (QTest::currentTestFailed()) return;
            QCOMPARE(int(inspection->levels(0, 0).size()), num_levels);
        }
        const auto before = inspect_weight(asked), after = inspect_weight(exported);
        QCOMPARE(before->scales().values, after->scales().values);
        QCOMPARE(before->zero_points().values, after->zero_points().values);
        const at::Tensor stored_scale = stored_tensor(config.output_dir, tensor + ".weight_scale");
        QVERIFY(at::equal(as_tensor(after->scales()).flatten(), stored_scale.scalar_type() == at::kByte
                                                                    ? at::pow(2.0, stored_scale.to(at::kFloat) - 127).flatten()
                                                                    : stored_scale.to(at::kFloat).flatten()));
    }

    void rounds_as_a_checkpoint_keeps_it_data() {
        QTest::addColumn<QString>("preset");
        QTest::addColumn<int>("dtype");
        for (const char* preset : {"W8A16", "W4A16", "W4A16_ASYM", "FP8_DYNAMIC", "FP8_BLOCK", "NVFP4A16", "MXFP4A16", "MXFP8A16", "W8A8"})
            for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat, at::kHalf}) QTest::addRow("%s of %s", preset, c10::toString(dtype)) << preset << int(dtype);
    }
    /// Levels and packed forms are spared in an inspection. Nothing may tell: neither by ties, nor by zeros, nor by values on the edge of a dtype.
    void rounds_as_a_checkpoint_keeps_it() {
        QFETCH(QString, preset);
        QFETCH(int, dtype);
        at::Tensor weight = at::arange(768 * 256, at::kDouble).mul(12.9898).sin().mul(43758.5453).frac().view({768, 256});
        weight = weight * at::pow(2.0, at::arange(768).remainder(40).sub(30)).unsqueeze(1);
        weight.narrow(0, 8, 64).copy_(at::arange(64 * 256).remainder(65).sub(32).mul(0.25).view({64, 256}));  // ties
        weight[100].zero_();
        weight.narrow(0, 101, 3).mul_(1e-4).narrow(1, 0, 1).fill_(1);
        weight = weight.to(static_cast<at::ScalarType>(dtype));
        const fs::path model = copy_of(llama);
        replace_tensor(model, gate + ".weight", weight);

        const QuantizationScheme scheme{.targets = {}, .weights = preset_scheme(preset.toStdString(), {}).weights, .input_activations = {}, .output_activations = {}, .format = {}};
        const ModulePlan plan{.scheme = scheme, .format = infer_format(scheme), .tuning = {}};
        const ModuleObservers observers(gate, plan);
        observers.weight->observe(weight);
        const std::vector<NamedTensor> stored = compress_linear(weight, {}, {.weight = observed_qparams(*observers.weight), .input = {}, .output = {}}, scheme, plan.format);
        const auto lookup = [&](const std::string& name) {
            const auto found = std::find_if(stored.begin(), stored.end(), [&](const NamedTensor& tensor) { return tensor.name == name; });
            return found == stored.end() ? at::Tensor() : found->tensor;
        };
        const at::Tensor expected = decompress_linear(lookup, scheme, plan.format, at::kFloat);

        const auto inspection = inspect_weight({.model_dir = model, .module = gate, .weights = scheme.weights, .fused_with = {gate}});
        compare_facts(*inspection, weight, expected);
    }

    void shows_what_tuning_left() {
        RunConfig config = this->config(llama, "AutoRoundModifier: {iters: 6, batch_size: 2, ignore: [lm_head], config_groups: {a: {targets: [Linear], weights: "
                                               "{num_bits: 4, type: int, strategy: group, group_size: 64}}}}");
        config.dataset = demo / "shakespeare.txt";
        config.dtype = "float32";
        run(config);
        const at::Tensor weight = stored_tensor(config.model_dir, gate + ".weight"), quantized = reopened_weight(config.output_dir, gate);
        const auto inspection = inspect_weight({.model_dir = config.model_dir, .module = gate, .checkpoint_dir = config.output_dir});
        compare_facts(*inspection, weight, quantized);
        QVERIFY(at::equal(as_tensor(inspection->scales()), stored_tensor(config.output_dir, gate + ".weight_scale").to(at::kFloat)));
        QVERIFY(at::lt(as_tensor(inspection->scales()), 0).any().item<bool>());  // signed, as AutoRound leaves them
        QCOMPARE(inspection->map(WeightLayer::Scale, {0, 0, weight.size(0), weight.size(1)}, weight.size(0), weight.size(1)).values[0],
                 inspection->scales().values[0]);
        // What the run left alone is shown as it is.
        const auto head = inspect_weight({.model_dir = config.model_dir, .module = "lm_head", .checkpoint_dir = config.output_dir});
        QCOMPARE(head->facts().sqnr_db, std::numeric_limits<double>::infinity());
        QVERIFY(head->scales().values.empty());
    }

    void looks_into_a_run_at_work() {
        RunConfig config = this->config(llama, "QuantizationModifier: {ignore: [lm_head], scheme: W4A16}");
        config.run_dir = path("run");
        Recorder recorder;
        RunControl control;
        recorder.react = [&](const RunEvent& event) {
            if (const auto* block = std::get_if<BlockStarted>(&event); block && block->block == 2) control.request_cancel();
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, run_calibration(config, recorder, control));
        const WeightRequest done{.model_dir = config.model_dir, .module = "model.layers.1.self_attn.q_proj", .run_dir = config.run_dir};
        WeightRequest asked = done, pending = done;
        asked.weights = preset_scheme("W4A16", {}).weights;
        QCOMPARE(inspect_weight(done)->facts().sqnr_db, inspect_weight(asked)->facts().sqnr_db);
        pending.module = "model.layers.3.self_attn.q_proj";
        QVERIFY(error_of(pending).contains("holds nothing of model.layers.3.self_attn.q_proj yet"));

        // Once it is finished, its export tells.
        config.run_dir = path("finished");
        run(config);
        WeightRequest finished = pending;
        finished.run_dir = config.run_dir;
        finished.weights.reset();
        asked.module = finished.module;
        QCOMPARE(inspect_weight(finished)->facts().sqnr_db, inspect_weight(asked)->facts().sqnr_db);
    }

    void finds_experts_that_lie_in_one_tensor() {
        const std::string expert = "model.layers.0.mlp.experts.2.", experts = "model.layers.0.mlp.experts.";
        const fs::path packed = copy_of(moe);
        std::map<std::string, at::Tensor> source;
        edit_tensors(packed, [&](const std::string& name, const at::Tensor& tensor) {
            source[name] = tensor;
            return name.starts_with(experts) ? at::Tensor() : tensor;
        });
        std::vector<at::Tensor> gate_up, down;
        for (int index = 0; source.contains(concat(experts, index, ".gate_proj.weight")); ++index) {
            gate_up.push_back(at::cat({source[concat(experts, index, ".gate_proj.weight")], source[concat(experts, index, ".up_proj.weight")]}));
            down.push_back(source[concat(experts, index, ".down_proj.weight")]);
        }
        std::vector<NamedTensor> tensors{{experts + "gate_up_proj", at::stack(gate_up)}, {experts + "down_proj", at::stack(down)}};
        for (const auto& [name, tensor] : source)
            if (!name.starts_with(experts)) tensors.push_back({name, tensor.clone()});
        write_safetensors(packed / "model.safetensors", tensors);
        const QuantizationArgs args = *preset_scheme("W8A16", {}).weights;
        for (const char* projection : {"gate_proj", "up_proj", "down_proj"}) {
            const auto apart = inspect_weight({.model_dir = demo / moe, .module = expert + projection, .weights = args});
            const auto together = inspect_weight({.model_dir = packed, .module = expert + projection, .weights = args});
            QCOMPARE(together->facts().sqnr_db, apart->facts().sqnr_db);
            QCOMPARE(together->map(WeightLayer::Weight, {0, 0, 128, 128}, 128, 128).values, apart->map(WeightLayer::Weight, {0, 0, 128, 128}, 128, 128).values);
        }
    }

    void shows_the_largest_of_every_cell() {
        const auto inspection = inspect_weight({.model_dir = demo / llama, .module = gate, .weights = preset_scheme("W4A16", {}).weights});
        const Extent whole{0, 0, 768, 256};
        for (const WeightLayer layer : {WeightLayer::Weight, WeightLayer::Quantized, WeightLayer::Error, WeightLayer::Scale}) {
            const at::Tensor values = as_tensor(inspection->map(layer, whole, whole.rows, whole.columns));
            for (const Extent& part : {whole, Extent{0, 0, 1, 256}, Extent{13, 7, 400, 201}, Extent{767, 255, 1, 1}, Extent{100, 0, 3, 256}, Extent{-5, 200, 800, 80}}) {
                for (const int64_t most : {1, 2, 7, 40, 100, 1000}) {
                    const MapTile tile = inspection->map(layer, part, most, most);
                    QVERIFY(tile.rows <= most + 1 && tile.columns <= most + 1);
                    QVERIFY(tile.covers.row <= std::max<int64_t>(part.row, 0) && tile.covers.row % tile.cell_rows == 0);
                    QVERIFY(tile.covers.column + tile.covers.columns >= std::min<int64_t>(part.column + part.columns, 256));
                    for (int64_t row = 0; row < tile.rows; ++row) {
                        for (int64_t column = 0; column < tile.columns; ++column) {
                            const int64_t top = tile.covers.row + row * tile.cell_rows, left = tile.covers.column + column * tile.cell_columns;
                            const at::Tensor cell = values.slice(0, top, top + tile.cell_rows).slice(1, left, left + tile.cell_columns);
                            if (most <= 40 || (row + column) % 97 == 0) QCOMPARE(tile.values[size_t(row * tile.columns + column)], largest_magnitude(cell));
                        }
                    }
                }
            }
        }
    }

    void shows_the_largest_error_from_any_distance() {
        const auto inspection = inspect_weight({.model_dir = demo / llama, .module = gate, .weights = preset_scheme("W4A16", {}).weights});
        const WeightFacts& facts = inspection->facts();
        for (int64_t most = 1; most <= 1024; most *= 2) {
            const MapTile tile = inspection->map(WeightLayer::Error, {0, 0, facts.rows, facts.columns}, most, most);
            const int64_t row = facts.max_error_row / tile.cell_rows, column = facts.max_error_column / tile.cell_columns;
            QCOMPARE(double(std::abs(tile.values[size_t(row * tile.columns + column)])), facts.max_abs_error);
        }
    }

    void counts_every_value_in_histograms() {
        const auto inspection = inspect_weight({.model_dir = demo / llama, .module = gate, .weights = preset_scheme("W4A16", {}).weights});
        const Extent whole{0, 0, 768, 256}, part{100, 30, 50, 70};
        for (const WeightLayer layer : {WeightLayer::Weight, WeightLayer::Quantized, WeightLayer::Error, WeightLayer::Scale}) {
            for (const Extent& extent : {whole, part}) {
                const ValueHistogram histogram = inspection->histogram(layer, 50, extent);
                const MapTile tile = inspection->map(layer, extent, extent.rows, extent.columns);
                const at::Tensor values = as_tensor(tile).slice(0, 0, extent.rows).to(at::kDouble);
                QCOMPARE(histogram.low, values.min().item<double>());
                QCOMPARE(histogram.high, values.max().item<double>());
                std::vector<int64_t> expected(50);
                for (const float value : tile.values)
                    ++expected[size_t(std::min(49.0, (value - histogram.low) * (50 / (histogram.high - histogram.low))))];
                QCOMPARE(histogram.counts, expected);
            }
        }
        QCOMPARE(inspection->histogram(WeightLayer::Weight, 7).counts, inspection->histogram(WeightLayer::Weight, 7, whole).counts);
    }

    void tells_clipped_and_constant_rows() {
        const fs::path model = copy_of(llama);
        at::Tensor weight = at::arange(768 * 256, at::kDouble).sin().view({768, 256}).to(at::kBFloat16);
        weight.narrow(0, 5, 2).copy_(at::full({2, 256}, 0.001).add_(at::arange(256) * 1e-6));
        weight[5][0] = weight[6][64] = 1;  // all else in its group quantizes to zero; so do the other groups of a row of zeros
        replace_tensor(model, gate + ".weight", weight);
        QuantizationArgs args;
        args.num_bits = 4;
        args.strategy = Strategy::Tensor;
        const auto inspection = inspect_weight({.model_dir = model, .module = gate, .weights = resolve_defaults(args)});
        QCOMPARE(inspection->facts().num_constant_rows, 0);
        weight[5][0] = 0.001, weight[6][64] = 0.0;
        replace_tensor(model, gate + ".weight", weight);
        const auto constant = inspect_weight({.model_dir = model, .module = gate, .weights = resolve_defaults(args)});
        QCOMPARE(constant->facts().num_constant_rows, 2);
        QVERIFY(constant->facts().constant_rows);
        QCOMPARE(constant->facts().clipped_share, 0.0);

        // The range is shrunk to where a tenth of the values lies outside.
        args.observer = "histogram";
        args.observer_kwargs = {{"percentile", 90}};
        const auto clipped = inspect_weight({.model_dir = model, .module = gate, .weights = resolve_defaults(args)});
        const double scale = clipped->scales().values[0], beyond = 7.5 * scale * (1 + 1.0 / 256);
        const at::Tensor values = weight.to(at::kFloat);
        const auto outside = at::logical_or(values > beyond, values < -(beyond + scale * (1 + 1.0 / 256))).sum().item<double>();
        QVERIFY(outside > 0);
        QVERIFY(close(clipped->facts().clipped_share, outside / double(values.numel()), 1e-3));
        QCOMPARE(clipped->facts().range_use, 1.0);
    }

    void leaves_out_what_is_not_finite() {
        const fs::path model = copy_of(llama);
        at::Tensor weight = stored_tensor(model, gate + ".weight").clone();
        weight[3][4] = std::numeric_limits<float>::quiet_NaN();
        weight[700][200] = -std::numeric_limits<float>::infinity();
        replace_tensor(model, gate + ".weight", weight);
        const auto inspection = inspect_weight({.model_dir = model, .module = gate});
        const at::Tensor finite = weight.isfinite();
        QCOMPARE(inspection->facts().num_not_finite, 2);
        QCOMPARE(inspection->facts().min, weight.masked_select(finite).min().item<double>());
        QCOMPARE(inspection->facts().scheme, std::string("as it is"));
        const ValueHistogram histogram = inspection->histogram(WeightLayer::Weight, 10);
        QCOMPARE(std::accumulate(histogram.counts.begin(), histogram.counts.end(), int64_t{0}), weight.numel() - 2);
        QVERIFY(std::isnan(inspection->map(WeightLayer::Weight, {3, 4, 1, 1}, 1, 1).values[0]));
        QVERIFY(std::isfinite(inspection->map(WeightLayer::Weight, {0, 0, 768, 256}, 10, 10).values[0]));
        QVERIFY(error_of({.model_dir = model, .module = gate, .weights = preset_scheme("W4A16", {}).weights}).contains("contains 1 NaN and 1 infinite values"));
    }

    void says_what_is_not_there() {
        const auto weights = preset_scheme("W4A16", {}).weights;
        QVERIFY(error_of({.model_dir = demo / llama, .module = "model.layers.0.mlp.gate", .weights = weights}).contains("did you mean model.layers.0.mlp.gate_proj?"));
        QVERIFY(error_of({.model_dir = demo / llama, .module = "model.norm", .weights = weights}).contains("has no matrix"));
        QVERIFY(error_of({.model_dir = demo / llama, .module = gate, .checkpoint_dir = path("nowhere")}).contains("nowhere"));
        run(config(llama, "QuantizationModifier: {ignore: [lm_head], scheme: W4A16}"));
        QVERIFY(error_of({.model_dir = path("out"), .module = gate, .weights = weights}).contains("is quantized already"));
        QVERIFY(error_of({.model_dir = demo / moe, .module = "model.layers.0.self_attn.q_proj", .checkpoint_dir = path("out")}).contains("do not belong together"));
    }
};

QTEST_GUILESS_MAIN(WeightInspectionTest)
#include "tst_weight_inspection.moc"
