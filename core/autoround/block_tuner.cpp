#include "core/autoround/block_tuner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <span>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/autoround/error_feedback.h"
#include "core/autoround/input_products.h"
#include "core/autoround/sample_order.h"
#include "core/autoround/tunable_weight.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kernels/recycled.h"
#include "core/observers/fused_groups.h"
#include "core/quantization/fake_quantize.h"

namespace calibench {

namespace {

constexpr double kLossScale = 1000;  // auto-round's: keeps the gradients of narrow scales off their subnormals
constexpr double kOutliers = 1e-3;   // SignRoundV2's share of elements that the loss leaves out

/// Of the Linears with strategy tensor_group; those that are run as one matrix share the largest range's.
std::map<std::string, at::Tensor> global_scales_of(DecoderBlock& block, const std::map<std::string, QuantizationArgs>& schemes) {
    std::map<std::string, at::Tensor> largest;
    std::vector<std::string> names;
    for (const Linear* linear : block.linears()) {
        const auto scheme = schemes.find(linear->name);
        if (scheme == schemes.end() || scheme->second.strategy != Strategy::TensorGroup) continue;
        largest[linear->name] = linear->weight.abs().max();
        names.push_back(linear->name);
    }
    for (const auto& group : find_fused_groups(names)) {
        at::Tensor shared = largest.at(group.front());
        for (const std::string& name : group) shared = at::maximum(shared, largest.at(name));
        for (const std::string& name : group) largest.at(name) = shared;
    }
    std::map<std::string, at::Tensor> scales;
    for (const auto& [name, range] : largest) scales[name] = generate_gparam(-range, range);
    return scales;
}

/// Samples that pass the block together.
struct Batch {
    at::Tensor inputs, outputs, loss_mask;  ///< loss_mask: bool [batch, seq] or undefined
    at::Tensor labels;                      ///< of next tokens
    SequenceContext context;
};

/// One of an iteration's batches.
struct Part {
    std::vector<int64_t> samples;
    double share = 1;  ///< of the iteration's positions that count
};

/// Hands out batches in the shuffled order.
class Batches {
public:
    Batches(const BlockSamples& samples, const AutoRoundOptions& options)
        : samples_(samples),
          order_(samples.inputs.size(0), options.samples_per_iteration(), options.seed),
          batch_size_(static_cast<size_t>(options.batch_size)),
          positions_(static_cast<size_t>(samples.inputs.size(0)), 1) {
        const at::Tensor& mask = samples.loss_mask.defined() ? samples.loss_mask : samples.attention_mask;
        // Where nothing is left out the loss need not look.
        if (!mask.defined() || mask.all().item<bool>()) return;
        loss_mask_ = mask.to(at::kBool);
        const at::Tensor counts = loss_mask_.sum(-1).to(at::kCPU, at::kDouble);
        positions_.assign(counts.const_data_ptr<double>(), counts.const_data_ptr<double>() + counts.numel());
    }

    /// The next iteration's batches.
    [[nodiscard]] std::vector<Part> next() {
        const std::vector<int64_t> picked = order_.next();
        if (picked.size() <= batch_size_) return {{picked, 1}};
        const auto positions = [&](const std::vector<int64_t>& samples) {
            double sum = 0;
            for (const int64_t sample : samples) sum += positions_[static_cast<size_t>(sample)];
            return sum;
        };
        std::vector<Part> parts;
        for (size_t begin = 0; begin < picked.size(); begin += batch_size_) {
            const auto at = [&](size_t i) { return picked.begin() + static_cast<std::ptrdiff_t>(std::min(i, picked.size())); };
            parts.push_back({{at(begin), at(begin + batch_size_)}});
            parts.back().share = positions(parts.back().samples) / std::max(1.0, positions(picked));
        }
        return parts;
    }

    /// Every sample once, in order.
    [[nodiscard]] std::vector<std::vector<int64_t>> all() const {
        std::vector<int64_t> samples(positions_.size());
        std::iota(samples.begin(), samples.end(), 0);
        std::vector<std::vector<int64_t>> parts;
        for (size_t begin = 0; begin < samples.size(); begin += batch_size_) {
            const size_t end = std::min(begin + batch_size_, samples.size());
            parts.emplace_back(samples.begin() + static_cast<std::ptrdiff_t>(begin), samples.begin() + static_cast<std::ptrdiff_t>(end));
        }
        return parts;
    }

    [[nodiscard]] Batch load(const std::vector<int64_t>& picked) const {
        const at::Tensor index = at::tensor(picked, at::kLong);
        // States that lie in a file are the CPU's, whatever the block computes on.
        const at::Device device = samples_.loss_mask.defined() ? samples_.loss_mask.device() : samples_.inputs.device();
        const auto pick = [&](const at::Tensor& all) {
            return all.defined() ? all.index_select(0, index.to(all.device())).to(device) : all;
        };
        Batch batch{pick(samples_.inputs), samples_.make_outputs ? samples_.make_outputs(index) : pick(samples_.outputs), pick(loss_mask_), {}, {}};
        if (samples_.next_tokens) batch.labels = pick(samples_.next_tokens->labels);
        batch.context.attention_mask = pick(samples_.attention_mask);
        return batch;
    }

private:
    const BlockSamples& samples_;
    SampleOrder order_;
    size_t batch_size_;
    at::Tensor loss_mask_;
    std::vector<double> positions_;  ///< that count, of each sample; 1 where all do
};

/// The Linears under tuning. While it lives the block computes with the fake-quantized weights; it ends with the float weights
/// again, whatever was thrown, unless keep() has put the tuned ones in.
class TunedLinears {
public:
    TunedLinears(DecoderBlock& block, const std::map<std::string, QuantizationArgs>& schemes, const AutoRoundOptions& options,
                 const BlockSamples& samples)
        : accumulates_(options.gradient_accumulate_steps > 1), inputs_(block.linears(), samples.static_inputs, schemes, options) {
        const auto global_scales = global_scales_of(block, schemes);
        for (Linear* linear : block.linears()) {
            const auto scheme = schemes.find(linear->name);
            if (scheme == schemes.end()) continue;
            const auto of_this = [&](const std::map<std::string, at::Tensor>& all) {
                const auto found = all.find(linear->name);
                return found == all.end() ? at::Tensor() : found->second;
            };
            members_.push_back({linear, linear->weight,
                                TunableWeight(linear->name, linear->weight, scheme->second, options,
                                              {.global_scale = of_this(global_scales), .imatrix = of_this(samples.imatrix)})});
        }
        if (members_.size() != schemes.size()) {
            throw InputError(concat(block.name(), ": ", schemes.size() - members_.size(),
                                    " of the modules to tune are no projections of this block"));
        }
        for (Member& member : members_) {
            member.linear->weight = member.tunable.qdq();
            leaves_.push_back(member.tunable.qdq());
        }
        for (const at::Tensor& factor : inputs_.factors()) leaves_.push_back(factor);
    }
    ~TunedLinears() {
        for (Member& member : members_) member.linear->weight = member.weight;
    }
    TunedLinears(const TunedLinears&) = delete;
    TunedLinears& operator=(const TunedLinears&) = delete;

    /// Begins with levels by error feedback, which take the inputs into account, instead of the nearest. The last projection is given
    /// its levels when the others have theirs, and makes up for what they and all blocks before have done to the block's outputs.
    /// Floats begin as they are.
    void begin_with_feedback(DecoderBlock& block, const Batches& batches, bool has_outputs, RunControl& control) {
        at::NoGradGuard no_grad;
        Member* last = nullptr;
        std::vector<Member*> others;
        for (Member& member : members_) {
            if (!member.tunable.is_integer()) continue;
            member.linear->weight = member.weight;
            if (has_outputs && member.linear == block.last_projection()) last = &member;
            else others.push_back(&member);
        }
        if (others.empty() && !last) return;
        const auto watched = watch(others);
        for (const auto& samples : batches.all()) {
            control.checkpoint();
            const Batch batch = batches.load(samples);
            for (const auto& products : watched) products->set_mask(batch.loss_mask);
            (void)block.forward(batch.inputs, batch.context);
        }
        for (size_t i = 0; i < others.size(); ++i) {
            control.checkpoint();
            others[i]->tunable.begin_with_feedback(others[i]->weight.to(at::kCPU, at::kFloat), watched[i]->inputs());
            others[i]->linear->weight = others[i]->tunable.qdq();
        }
        if (!last) return;
        InputProducts products(*last->linear);
        for (const auto& samples : batches.all()) {
            control.checkpoint();
            const Batch batch = batches.load(samples);
            products.set_mask(batch.loss_mask);
            const at::Tensor output = block.forward(batch.inputs, batch.context);
            products.add_error(batch.outputs.to(at::kFloat) - output);
        }
        const at::Tensor weight = last->weight.to(at::kCPU, at::kFloat);
        last->tunable.begin_with_feedback(correct_weight(weight, products.inputs(), products.errors()), products.inputs());
        last->linear->weight = last->tunable.qdq();
    }
    /// Nothing is left to tune once error feedback gave the levels.
    [[nodiscard]] bool are_fine(const std::map<std::string, QuantizationArgs>& schemes) const {
        return inputs_.factors().empty() && std::all_of(schemes.begin(), schemes.end(), [](const auto& scheme) { return is_fine(scheme.second); });
    }
    void remember() {
        for (Member& member : members_) member.tunable.remember();
        inputs_.remember();
    }
    /// Adds what d loss / d output of the block says to the gradients of the next step.
    void backward(const at::Tensor& output, const at::Tensor& grad_output) {
        at::NoGradGuard no_grad;
        auto gradients = torch::autograd::grad({output}, leaves_, {grad_output}, /*retain_graph=*/false,
                                               /*create_graph=*/false, /*allow_unused=*/true);
        if (!accumulates_) {
            gradients_ = std::move(gradients);
            return;
        }
        sums_.resize(leaves_.size());
        gradients_.resize(leaves_.size());
        for (size_t i = 0; i < leaves_.size(); ++i) {
            if (!gradients[i].defined()) continue;
            if (!sums_[i].defined()) sums_[i] = at::zeros_like(gradients[i], at::kFloat);
            if (gradients_[i].defined()) sums_[i].add_(gradients[i]);
            else sums_[i].copy_(gradients[i]);
            gradients_[i] = sums_[i];
        }
    }
    void step() {
        for (size_t i = 0; i < members_.size(); ++i) {
            at::Tensor& gradient = gradients_[i];
            members_[i].tunable.step(gradient.defined() ? gradient.to(members_[i].weight.scalar_type()) : gradient);
            members_[i].tunable.advance_rates();
            gradient.reset();
        }
        const std::span<at::Tensor> of_inputs = std::span(gradients_).subspan(members_.size());
        inputs_.step(of_inputs);
        for (at::Tensor& gradient : of_inputs) gradient.reset();
    }
    [[nodiscard]] std::map<std::string, double> input_factors() const { return inputs_.best(); }
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
        leaves_.clear();
        gradients_.clear();
        sums_.clear();
        for (Member& member : members_) {
            member.linear->weight = member.weight;
            member.tunable.end();
        }
        for (Member& member : members_) {
            // What is left of the tuning is let go of module by module, before the next one's results come.
            TunedWeight best = TunableWeight(std::move(member.tunable)).best();
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

    /// One for each; those that share their inputs share it.
    [[nodiscard]] static std::vector<std::shared_ptr<InputProducts>> watch(const std::vector<Member*>& members) {
        std::vector<std::string> names;
        for (const Member* member : members) names.push_back(member->linear->name);
        std::map<std::string, std::shared_ptr<InputProducts>> shared;
        const auto groups = find_fused_groups(names);
        std::vector<std::shared_ptr<InputProducts>> watched;
        for (const Member* member : members) {
            const std::string& name = member->linear->name;
            auto& products = shared[name];
            if (!products) products = std::make_shared<InputProducts>(*member->linear);
            for (const auto& group : groups)
                if (std::find(group.begin(), group.end(), name) != group.end())
                    for (const std::string& other : group) shared[other] = products;
            watched.push_back(products);
        }
        return watched;
    }

    bool accumulates_;
    std::vector<Member> members_;
    TunableInputs inputs_;
    std::vector<at::Tensor> leaves_;     ///< the rounded weights, then the factors of the inputs
    std::vector<at::Tensor> gradients_;  ///< of the next step, undefined where there is none
    std::vector<at::Tensor> sums_;       ///< float32, reused by every step; only where gradients accumulate
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

bool is_fine(const QuantizationArgs& weights) { return weights.type == QuantizationType::Int && weights.num_bits >= 4; }

TuningResult tune_block(DecoderBlock& block, const BlockSamples& samples, const std::map<std::string, QuantizationArgs>& schemes,
                        const AutoRoundOptions& options, RunControl& control,
                        const std::function<void(int64_t iteration, double loss_mse, bool best)>& on_iteration,
                        const std::function<bool()>& go_on) {
    if (options.iters <= 0 || options.batch_size <= 0 || options.gradient_accumulate_steps <= 0) {
        throw InputError("AutoRound needs at least one iteration, and one batch of at least one sample for each");
    }
    at::AutoGradMode enable_grad(true);
    const RecycledMemory recycled_memory;
    TunedLinears linears(block, schemes, options, samples);
    Batches batches(samples, options);
    const bool is_quick = options.effort == Effort::Quick;
    if (is_quick) linears.begin_with_feedback(block, batches, samples.outputs.defined(), control);
    const int64_t iterations = is_quick && !samples.next_tokens && linears.are_fine(schemes) ? 1 : options.iters;
    const bool keeps_last = options.not_use_best_mse;
    OutputError output_error(options.leave_out_outliers ? kOutliers : 0);
    const auto measure = [&](const at::Tensor& output, const Batch& batch, double factor) {
        return samples.next_tokens ? next_token_loss(output, batch.labels, samples.next_tokens->logits, factor)
                                   : output_error(output, batch.outputs, batch.loss_mask, factor);
    };

    TuningResult result;
    double lowest = std::numeric_limits<double>::infinity();
    int64_t lowest_iteration = 0;
    const auto may_go_on = [&] { return !go_on || go_on(); };
    for (int64_t iteration = 0; iteration < iterations && (iteration == 0 || may_go_on()); ++iteration) {
        const bool is_last = iteration + 1 == iterations;  // nothing looks at what its step would lead to
        double mse = 0;
        at::Tensor output;
        TuningLoss loss;
        for (const Part& part : batches.next()) {
            control.checkpoint();
            if (output.defined() && !is_last) linears.backward(output, loss.gradient);
            const Batch batch = batches.load(part.samples);
            output = block.forward(batch.inputs, batch.context);
            loss = measure(output, batch, kLossScale * part.share);
            mse += part.share * loss.value;
        }
        if (!std::isfinite(mse)) fail_not_finite(block, linears, iteration);

        const bool best = mse < lowest;
        if (best) {
            lowest = mse;
            lowest_iteration = iteration;
        }
        if (best || keeps_last) {
            result.best_loss_mse = mse;
            result.best_iteration = iteration;
            linears.remember();
        }
        result.loss_mse.push_back(mse);
        if (on_iteration) on_iteration(iteration, mse, best);
        const bool is_stuck = !keeps_last && options.dynamic_max_gap > 0 &&
                              iteration - lowest_iteration >= options.dynamic_max_gap;
        if (is_last || is_stuck || !may_go_on()) break;
        linears.backward(output, loss.gradient);
        linears.step();
    }
    result.input_factors = linears.input_factors();
    result.weights = linears.keep(schemes);
    return result;
}

}  // namespace calibench
