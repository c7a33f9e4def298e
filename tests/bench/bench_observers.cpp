#include <atomic>
#include <cstdio>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/checkpoint/checkpoint_writer.h"
#include "core/kernels/cpu/parallel.h"
#include "core/models/checkpoint.h"
#include "core/observers/registry.h"
#include "tests/bench/benchmarks.h"

namespace calibench::bench {

namespace {

struct Options {
    std::string model_dir;
    std::vector<std::string> observers = {"memoryless_minmax", "mse"};
    std::string scales_file;
    int num_bits = 4;
    int64_t group_size = 64;
    int repeats = 3;
    int threads = 0;
};

struct Weight {
    std::string name;
    at::Tensor values;
};

/// Matrices whose rows are whole groups, copied out of the file so that no page fault is timed.
std::vector<Weight> load_weights(const Options& options) {
    const Checkpoint checkpoint(options.model_dir);
    std::vector<Weight> weights;
    for (const std::string& name : checkpoint.names()) {
        const at::Tensor tensor = checkpoint.tensor(name);
        if (tensor.dim() == 2 && tensor.size(1) % options.group_size == 0) weights.push_back({name, tensor.clone()});
    }
    return weights;
}

/// Every byte once, with the same threads: what any observer has to do at least.
void read_once(const std::vector<Weight>& weights) {
    std::atomic<uint64_t> sink{0};
    for (const Weight& weight : weights) {
        const auto* words = static_cast<const uint64_t*>(weight.values.const_data_ptr());
        parallel_for(int64_t(weight.values.nbytes() / sizeof(uint64_t)), 1 << 15, [&](int64_t begin, int64_t end) {
            uint64_t sums[16] = {};
            int64_t i = begin;
            for (; i + 16 <= end; i += 16)
                for (int lane = 0; lane < 16; ++lane) sums[lane] ^= words[i + lane];
            for (; i < end; ++i) sums[0] ^= words[i];
            for (const uint64_t sum : sums) sink ^= sum;
        });
    }
}

void run(const Options& options) {
    if (options.threads > 0) at::set_num_threads(options.threads);
    const std::vector<Weight> weights = load_weights(options);
    double values = 0, bytes = 0;
    for (const Weight& weight : weights) {
        values += double(weight.values.numel());
        bytes += double(weight.values.nbytes());
    }
    std::printf("%zu weights, %.1f M values, int%d group %lld, %d threads\n", weights.size(), values / 1e6, options.num_bits,
                static_cast<long long>(options.group_size), at::get_num_threads());

    const double reading = best_seconds(options.repeats, [&] { read_once(weights); });
    std::printf("%-20s %8.3f s  %6.1f GB/s\n", "read once", reading, bytes / reading / 1e9);

    QuantizationArgs args;
    args.num_bits = options.num_bits;
    args.group_size = options.group_size;
    args = resolve_defaults(args);
    for (const std::string& name : options.observers) {
        std::vector<NamedTensor> scales;
        double observing = std::numeric_limits<double>::infinity();
        const double seconds = best_seconds(options.repeats, [&] {
            scales.clear();
            std::vector<std::unique_ptr<Observer>> observers;
            observing = std::min(observing, best_seconds(1, [&] {
                for (const Weight& weight : weights) {
                    observers.push_back(make_observer(name, "weight", args, ObservedModule{weight.name}));
                    observers.back()->observe(weight.values);
                }
            }));
            for (const auto& observer : observers) scales.push_back({observer->module_name(), observer->get_qparams().scale});
        });
        std::printf("%-20s %8.3f s  %6.2f ns a value  %6.2f x read; %.3f s with scales\n", name.c_str(), observing,
                    observing / values * 1e9, observing / reading, seconds);
        if (!options.scales_file.empty()) write_safetensors(options.scales_file + "." + name + ".safetensors", scales);
    }
}

}  // namespace

void add_observers(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("observers", "Weight observers over all matrices of a model");
    command->add_option("--model", options->model_dir, "model directory")->required();
    command->add_option("--observers", options->observers, "names, in order")->delimiter(',');
    command->add_option("--save-scales", options->scales_file, "write PREFIX.<observer>.safetensors, for peer_observers.py");
    command->add_option("--bits", options->num_bits, "bits of the integer format");
    command->add_option("--group-size", options->group_size, "columns that share a scale");
    command->add_option("--repeats", options->repeats, "the fastest run counts");
    command->add_option("--threads", options->threads, "0: all cores");
    command->callback([options] { run(*options); });
}

}  // namespace calibench::bench
