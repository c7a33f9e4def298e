#include <cstdio>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "core/autoround/block_tuner.h"
#include "core/kernels/recycled.h"
#include "core/models/causal_lm.h"
#include "core/quantization/qparams.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/product_clock.h"

namespace calibench::bench {

namespace {

struct Options {
    std::string model_dir;
    int64_t samples = 32;
    int64_t seq_len = 256;
    int64_t batch_size = 8;
    int64_t iters = 20;
    int64_t blocks = 4;
    int bits = 4;
    int64_t group_size = 64;
    std::string dtype = "bfloat16";
    int threads = 0;
    bool json = false;
};

struct BlockTime {
    std::string name;
    double seconds = 0;
    double first_loss = 0, best_loss = 0;
    ProductClock::Share products;  ///< matrix products and attention
};

/// The block's output for every sample, a batch at a time.
at::Tensor forward_all(DecoderBlock& block, const at::Tensor& inputs, int64_t batch_size) {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> outputs;
    for (const at::Tensor& batch : inputs.split(batch_size)) outputs.push_back(block.forward(batch, {}));
    return at::cat(outputs);
}

BlockTime time_block(DecoderBlock& block, BlockSamples& samples, const Options& options) {
    QuantizationArgs args;
    args.num_bits = options.bits;
    args.group_size = options.group_size;
    args.strategy = Strategy::Group;
    std::map<std::string, QuantizationArgs> schemes;
    for (const Linear* linear : block.linears()) schemes[linear->name] = args;
    AutoRoundOptions tuning;
    tuning.iters = options.iters;
    tuning.batch_size = options.batch_size;
    tuning.checkpoint_dtype = to_dtype(samples.inputs.scalar_type());

    RunControl control;
    BlockTime time{block.name()};
    TuningResult result;
    const ProductClock clock;
    time.seconds = best_seconds(1, [&] { result = tune_block(block, samples, schemes, tuning, control); });
    time.products = clock.total();
    time.first_loss = result.loss_mse.front();
    time.best_loss = result.best_loss_mse;
    return time;
}

void report(const Options& options, const std::vector<BlockTime>& times) {
    double seconds = 0;
    ProductClock::Share products;
    // The first block pays for warming up, as in the peers' measurements.
    const size_t first = times.size() > 1 ? 1 : 0;
    for (size_t i = first; i < times.size(); ++i) {
        seconds += times[i].seconds;
        products.seconds += times[i].products.seconds;
        products.operations += times[i].products.operations;
    }
    const double iterations = static_cast<double>(options.iters) * static_cast<double>(times.size() - first);
    const double ms_per_iter = 1000 * seconds / iterations;
    const double share = products.seconds / seconds;
    const double rate = products.operations / products.seconds;
    const double peak = peak_operations_per_second(to_scalar_type(dtype_from_string(options.dtype)));
    if (options.json) {
        nlohmann::json line = {{"dtype", options.dtype},
                               {"samples", options.samples},
                               {"seq_len", options.seq_len},
                               {"batch_size", options.batch_size},
                               {"iters", options.iters},
                               {"blocks", times.size()},
                               {"threads", at::get_num_threads()},
                               {"ms_per_iter", ms_per_iter},
                               {"product_share", share},
                               {"product_gflops", rate * 1e-9},
                               {"peak_gflops", peak * 1e-9},
                               {"fraction_of_peak", rate / peak}};
        std::printf("%s\n", line.dump().c_str());
        return;
    }
    for (const BlockTime& time : times) {
        std::printf("%-20s %8.3f s  loss %.4e -> %.4e\n", time.name.c_str(), time.seconds, time.first_loss, time.best_loss);
    }
    std::printf("%s, %lld x %lld tokens, %d threads: %.1f ms an iteration\n", options.dtype.c_str(),
                static_cast<long long>(options.batch_size), static_cast<long long>(options.seq_len), at::get_num_threads(), ms_per_iter);
    std::printf("%.0f %% of it in matrix products and attention: %.1f Gflop an iteration at %.0f Gflop/s, %.0f %% of the %.0f that one large product reaches\n",
                100 * share, products.operations / iterations * 1e-9, rate * 1e-9, 100 * rate / peak, peak * 1e-9);
}

void run(const Options& options) {
    if (options.threads > 0) at::set_num_threads(options.threads);
    const auto model = CausalLm::open(options.model_dir, {to_scalar_type(dtype_from_string(options.dtype)), at::kCPU});
    const at::Tensor ids = at::randint(model->config().vocab_size, {options.samples, options.seq_len},
                                       at::make_generator<at::CPUGeneratorImpl>(uint64_t{1}), at::kLong);
    BlockSamples samples;
    {
        at::NoGradGuard no_grad;
        samples.inputs = model->embed(ids);
    }
    const RecycledMemory recycled_memory;
    at::Tensor float_inputs = samples.inputs;
    std::vector<BlockTime> times;
    for (int64_t index = 0; index < std::min(options.blocks, model->config().num_hidden_layers); ++index) {
        const auto block = model->load_block(index);
        samples.outputs = forward_all(*block, float_inputs, options.batch_size);
        times.push_back(time_block(*block, samples, options));
        samples.inputs = forward_all(*block, samples.inputs, options.batch_size);
        float_inputs = samples.outputs;
    }
    report(options, times);
}

}  // namespace

void add_autoround(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("autoround", "AutoRound on the first blocks of a model, random tokens");
    command->add_option("--model", options->model_dir, "model directory")->required();
    command->add_option("--samples", options->samples);
    command->add_option("--seq-len", options->seq_len);
    command->add_option("--batch-size", options->batch_size);
    command->add_option("--iters", options->iters);
    command->add_option("--blocks", options->blocks, "how many, from the first");
    command->add_option("--bits", options->bits);
    command->add_option("--group-size", options->group_size);
    command->add_option("--dtype", options->dtype, "float32 or bfloat16");
    command->add_option("--threads", options->threads, "0: all cores");
    command->add_flag("--json", options->json, "one line");
    command->callback([options] { run(*options); });
}

}  // namespace calibench::bench
