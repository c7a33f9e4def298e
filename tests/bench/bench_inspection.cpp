#include <cstdio>
#include <memory>
#include <string>

#include <ATen/Parallel.h>

#include "core/analysis/weight_inspection.h"
#include "tests/bench/benchmarks.h"

namespace calibench::bench {

namespace {

struct Options {
    std::string model_dir, module = "model.layers.0.mlp.down_proj", checkpoint_dir;
    int64_t rows = 600, columns = 1000;  ///< cells of the view
    int repeats = 5;
    int threads = 0;
};

WeightRequest request_of(const Options& options) { return {.model_dir = options.model_dir, .module = options.module, .checkpoint_dir = options.checkpoint_dir}; }

/// Moves the view by a third of itself at a time over the whole weight: the milliseconds of a frame, on average and at most.
void pan(const WeightInspection& inspection, const Options& options, WeightLayer layer, int64_t zoom) {
    const WeightFacts& facts = inspection.facts();
    const Extent view{0, 0, std::min(facts.rows, options.rows * zoom), std::min(facts.columns, options.columns * zoom)};
    double sum = 0, most = 0;
    int frames = 0;
    for (Extent part = view; part.row < facts.rows; part.row += std::max<int64_t>(1, view.rows / 3) + 1) {
        for (part.column = 0; part.column < facts.columns; part.column += std::max<int64_t>(1, view.columns / 3) + 1) {
            const double seconds = best_seconds(1, [&] { (void)inspection.map(layer, part, options.rows, options.columns); });
            sum += seconds;
            most = std::max(most, seconds);
            if (++frames == 200) break;
        }
        if (frames == 200) break;
    }
    std::printf("  pan, cells of %lld values: %.1f ms a frame, at most %.1f ms\n", static_cast<long long>(zoom), 1e3 * sum / frames, 1e3 * most);
}

void run(const Options& options) {
    if (options.threads > 0) at::set_num_threads(options.threads);
    std::shared_ptr<const WeightInspection> inspection;
    const auto view = [&](WeightLayer layer) {
        (void)inspection->map(layer, {0, 0, inspection->facts().rows, inspection->facts().columns}, options.rows, options.columns);
    };
    const auto open = [&](const char* name, const WeightRequest& request) {
        double first_map = 0;
        const double seconds = best_seconds(options.repeats, [&] {
            inspection = inspect_weight(request);
            first_map = best_seconds(1, [&] { view(WeightLayer::Error); });
        });
        std::printf("%-24s %6.0f ms, of them the first map %.0f ms\n", name, 1e3 * seconds, 1e3 * first_map);
    };

    QuantizationArgs args;
    args.num_bits = 4;
    const auto with_group = [&](int64_t group_size, bool symmetric) {
        args.group_size = group_size;
        args.strategy = Strategy::Group;
        args.symmetric = symmetric;
        WeightRequest request = request_of(options);
        request.weights = resolve_defaults(args);
        return request;
    };
    if (!options.checkpoint_dir.empty()) open("export", request_of(options));
    open("int4 channel", [&] {
        args.strategy = Strategy::Channel;
        WeightRequest request = request_of(options);
        request.weights = resolve_defaults(args);
        return request;
    }());
    open("int4 g128", with_group(128, true));
    open("int4 g64", with_group(64, true));
    open("int4 g64 asymmetric", with_group(64, false));
    open("int4 g32", with_group(32, true));
    const WeightFacts& facts = inspection->facts();
    std::printf("%s, %lld x %lld, %d threads, %.2f dB\n", facts.module.c_str(), static_cast<long long>(facts.rows), static_cast<long long>(facts.columns),
                at::get_num_threads(), facts.sqnr_db);
    for (const int64_t zoom : {1, 2, 3, 4, 8, 16}) pan(*inspection, options, WeightLayer::Error, zoom);
    for (const WeightLayer layer : {WeightLayer::Weight, WeightLayer::Error}) {
        const double first = best_seconds(1, [&] { view(layer); });
        const double histogram = best_seconds(options.repeats, [&] { (void)inspection->histogram(layer, 256); });
        std::printf("  layer %d: first map %.0f ms, histogram %.0f ms\n", static_cast<int>(layer), 1e3 * first, 1e3 * histogram);
    }
}

}  // namespace

void add_inspection(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("inspection", "Opening a weight in the microscope, looking at it, and asking what if");
    command->add_option("--model", options->model_dir, "Model directory")->required();
    command->add_option("--module", options->module, "Whose weight")->capture_default_str();
    command->add_option("--checkpoint", options->checkpoint_dir, "An export of it");
    command->add_option("--repeats", options->repeats, "Of each measurement; the fastest counts")->capture_default_str();
    command->add_option("--threads", options->threads, "0: as LibTorch chooses")->capture_default_str();
    command->callback([options] { run(*options); });
}

}  // namespace calibench::bench
