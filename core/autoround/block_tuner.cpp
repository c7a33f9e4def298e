#include "core/autoround/block_tuner.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/autoround/sample_order.h"
#include "core/autoround/tunable_weight.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/block_loss.h"
#include "core/quantization/fake_quantize.h"

namespace calibench {

namespace {

constexpr double kLossScale = 1000;  // auto-round's: keeps the gradients of narrow scales off their subnormals

/// The Linears under tuning. While it lives the block computes with the fake-quantized weights; it ends with the float weights
/// again, whatever was thrown, unless keep() has put the tuned ones in.
class TunedLinears {
public:
    TunedLinears(DecoderBlock& block, const std::map<std::string, QuantizationArgs>& schemes, const AutoRoundOptions& options) {
        for (Linear* linear : block.linears()) {
            const auto scheme = schemes.find(linear->name);
            if (scheme == schemes.end()) continue;
            members_.push_back({linear, linear->weight, TunableWeight(linear->name, linear->weight, scheme->second, options)});
        }
        if (members_.size() != schemes.size()) {
            throw InputError(concat(block.name(), ": ", schemes.size() - members_.size(),
                                    " of the modules to tune are no projections of this block"));
        }
        for (Member& member : members_) {
            member.linear->weight = member.tunable.qdq();
            leaves_.push_back(member.tunable.qdq());
        }
    }
    ~TunedLinears() {
        for (Member& member : members_) member.linear->weight = member.weight;
    }
    TunedLinears(const TunedLinears&) = delete;
    TunedLinears& operator=(const TunedLinears&) = delete;

    void remember() {
        for (Member& member : members_) member.tunable.remember();
    }
    /// From d loss / d output of the block.
    void step(const at::Tensor& output, const at::Tensor& grad_output) {
        const auto gradients = torch::autograd::grad({output}, leaves_, {grad_output}, /*retain_graph=*/false,
                                                     /*create_graph=*/false, /*allow_unused=*/true);
        for (size_t i = 0; i < members_.size(); ++i) {
            members_[i].tunable.step(gradients[i]);
            members_[i].tunable.advance_rates();
        }
    }
    /// The module whose weight is not finite, or empty.
    [[nodiscard]] std::string not_finite() const {
        for (const Member& member : members_) {
            if (!member.weight.isfinite().all().item<bool>()) return member.linear->name;
        }
        return {};
    }
    /// Leaves the block with the weights that the checkpoint will hold.
    [[nodiscard]] std::map<std::string, TunedWeight> keep(const std::map<std::string, QuantizationArgs>& schemes) {
        at::NoGradGuard no_grad;
        std::map<std::string, TunedWeight> tuned;
        for (Member& member : members_) {
            TunedWeight best = member.tunable.best();
            const at::ScalarType dtype = member.weight.scalar_type();
            member.weight = dequantize(best.quantized, best.qparams, schemes.at(member.linear->name)).to(dtype);
            tuned.emplace(member.linear->name, std::move(best));
        }
        return tuned;
    }

private:
    struct Member {
        Linear* linear;
        at::Tensor weight;
        TunableWeight tunable;
    };
    std::vector<Member> members_;
    std::vector<at::Tensor> leaves_;
};

/// The samples of one iteration.
struct Batch {
    at::Tensor inputs, outputs, loss_mask;  ///< loss_mask: bool [batch, seq] or undefined
    SequenceContext context;
};

/// Hands out batches in the shuffled order.
class Batches {
public:
    Batches(const BlockSamples& samples, const AutoRoundOptions& options)
        : samples_(samples), order_(samples.inputs.size(0), options.batch_size, options.seed) {
        const at::Tensor& mask = samples.loss_mask.defined() ? samples.loss_mask : samples.attention_mask;
        // Where nothing is left out the loss need not look.
        if (mask.defined() && !mask.all().item<bool>()) loss_mask_ = mask.to(at::kBool);
    }

    [[nodiscard]] Batch next() {
        const std::vector<int64_t> picked = order_.next();
        const at::Tensor index = at::tensor(picked, at::kLong);
        const auto pick = [&](const at::Tensor& all) { return all.defined() ? all.index_select(0, index.to(all.device())) : all; };
        Batch batch{pick(samples_.inputs), pick(samples_.outputs), pick(loss_mask_), {}};
        batch.context.attention_mask = pick(samples_.attention_mask);
        return batch;
    }

private:
    const BlockSamples& samples_;
    SampleOrder order_;
    at::Tensor loss_mask_;
};

struct Loss {
    double mse = 0;
    at::Tensor gradient;  ///< of kLossScale * mse, by the block's output
};

/// Mean squared error in float32 over the positions that count.
class BlockLoss {
public:
    [[nodiscard]] Loss operator()(const at::Tensor& output, const Batch& batch) {
        at::NoGradGuard no_grad;
        if (const BlockLossKernel kernel = block_loss_kernel(output)) {
            if (!gradient_.defined() || gradient_.sizes() != output.sizes()) {
                gradient_ = at::empty_like(output, at::MemoryFormat::Contiguous);
            }
            const double mse = kernel(output.detach().contiguous(), batch.outputs, batch.loss_mask, kLossScale, gradient_);
            return {mse, gradient_};
        }
        at::Tensor error = output.to(at::kFloat) - batch.outputs.to(at::kFloat);
        double elements = static_cast<double>(error.numel());
        if (batch.loss_mask.defined()) {
            error = error * batch.loss_mask.unsqueeze(-1);
            elements = std::max(1.0, batch.loss_mask.sum().item<double>()) * static_cast<double>(error.size(-1));
        }
        return {error.square().sum(at::kDouble).item<double>() / elements,
                (error * (kLossScale * 2.0 / elements)).to(output.scalar_type())};
    }

private:
    at::Tensor gradient_;  // reused by every iteration
};

[[noreturn]] void fail_not_finite(const DecoderBlock& block, const TunedLinears& linears, int64_t iteration) {
    const std::string module = linears.not_finite();
    if (!module.empty()) {
        throw RunError(concat(module, ": the weight holds values that are not finite; fix the checkpoint or ignore this module"));
    }
    throw RunError(concat(block.name(), ": the loss of iteration ", iteration,
                          " is not finite; look for infinite activations, or compute in float32"));
}

}  // namespace

TuningResult tune_block(DecoderBlock& block, const BlockSamples& samples, const std::map<std::string, QuantizationArgs>& schemes,
                        const AutoRoundOptions& options, RunControl& control,
                        const std::function<void(int64_t iteration, double loss_mse, bool best)>& on_iteration,
                        const std::function<bool()>& go_on) {
    if (options.iters <= 0 || options.batch_size <= 0) {
        throw InputError("AutoRound needs at least one iteration and one sample per batch");
    }
    at::AutoGradMode enable_grad(true);
    TunedLinears linears(block, schemes, options);
    Batches batches(samples, options);
    BlockLoss measure;

    TuningResult result;
    result.best_loss_mse = std::numeric_limits<double>::infinity();
    const auto may_go_on = [&] { return !go_on || go_on(); };
    for (int64_t iteration = 0; iteration < options.iters && (iteration == 0 || may_go_on()); ++iteration) {
        control.checkpoint();
        const Batch batch = batches.next();
        const at::Tensor output = block.forward(batch.inputs, batch.context);
        const Loss loss = measure(output, batch);
        if (!std::isfinite(loss.mse)) fail_not_finite(block, linears, iteration);

        const bool best = loss.mse < result.best_loss_mse;
        if (best) {
            result.best_loss_mse = loss.mse;
            result.best_iteration = iteration;
            linears.remember();
        }
        result.loss_mse.push_back(loss.mse);
        if (on_iteration) on_iteration(iteration, loss.mse, best);
        // Nothing looks at what the last step would lead to.
        if (iteration + 1 == options.iters || !may_go_on()) break;
        linears.step(output, loss.gradient);
    }
    result.weights = linears.keep(schemes);
    return result;
}

}  // namespace calibench
