#include "core/analysis/quantized_weight.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/module_observers.h"
#include "core/calibration/run_directory.h"
#include "core/checkpoint/compressor.h"
#include "core/models/module_plan.h"
#include "core/observers/fused_groups.h"
#include "core/quantization/qparams.h"

namespace calibench {
namespace {

namespace fs = std::filesystem;

at::Tensor floats(const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(at::kFloat).contiguous() : tensor;
}

/// As a matrix with one element per group.
at::Tensor by_group(const at::Tensor& tensor) {
    return tensor.defined() && tensor.dim() != 2 ? tensor.reshape({1, 1}) : tensor;
}

/// `qparams`: as a reader computes with them. All but levels.
QuantizedWeight describe_groups(const QParams& qparams, int64_t rows, int64_t columns, const QuantizationArgs& args, CompressionFormat format) {
    QuantizedWeight quantized;
    quantized.args = args;
    quantized.stored_scale = floats(qparams.scale);
    quantized.stored_zero_point = floats(qparams.zero_point);
    quantized.scale = by_group(floats(qparams.global_scale.defined() ? qparams.scale / qparams.global_scale : qparams.scale));
    quantized.zero_point = by_group(quantized.stored_zero_point);
    const bool is_block = args.strategy == Strategy::Block;
    quantized.group_rows = is_block ? args.block_structure->at(0) : rows / quantized.scale.size(0);
    quantized.group_columns = is_block ? args.block_structure->at(1) : columns / quantized.scale.size(1);
    quantized.in_bfloat16 = format == CompressionFormat::Nvfp4PackQuantized || format == CompressionFormat::Mxfp4PackQuantized ||
                            format == CompressionFormat::Mxfp8Quantized;
    return quantized;
}

QuantizedWeight describe_levels(const StoredLevels& stored, const QuantizationArgs& args, CompressionFormat format) {
    const int64_t columns = stored.levels.size(1);
    QuantizedWeight quantized = describe_groups(stored.qparams, stored.levels.size(0), columns, args, format);
    const at::ScalarType dtype = stored.levels.scalar_type();
    const bool is_float8 = at::isFloat8Type(dtype);
    quantized.levels = stored.levels.to(dtype == at::kChar ? dtype : is_float8 || dtype == at::kBFloat16 ? at::kBFloat16 : at::kFloat).contiguous();
    if (stored.g_idx.defined() && !stored.g_idx.eq(-1).any().item<bool>()) {
        // The groups hold the columns in the stable order of g_idx, whatever numbers it has (flatten_for_calibration).
        const at::Tensor order = at::argsort(stored.g_idx, /*stable=*/true);
        quantized.column_group = at::empty_like(order).index_put_({order}, at::floor_divide(at::arange(columns, at::kLong), quantized.group_columns));
    }
    return quantized;
}

/// How quantize() finds the levels of such a weight (core/quantization/fake_quantize.h); unset: in a way that loops here do not know.
std::optional<QuantizedWeight::Rounding> rounding_by(const QParams& qparams, const at::Tensor& weight, const QuantizationArgs& args, CompressionFormat format) {
    const at::ScalarType dtype = weight.scalar_type();
    const auto has_loop = [](at::ScalarType type) { return type == at::kFloat || type == at::kBFloat16; };
    const bool is_fp4 = args.type == QuantizationType::Float && args.num_bits == 4;
    const bool packs_fp4 = format == CompressionFormat::Nvfp4PackQuantized || format == CompressionFormat::Mxfp4PackQuantized;
    if (args.num_bits > 8 || is_fp4 != packs_fp4 || !has_loop(dtype) || !has_loop(qparams.scale.scalar_type())) return {};
    QuantizedWeight::Rounding rounding;
    rounding.scale = by_group(floats(qparams.global_scale.defined() ? qparams.scale / qparams.global_scale : qparams.scale));
    if (!args.symmetric) rounding.zero_point = by_group(floats(qparams.zero_point.to(dtype)));
    rounding.kind = args.type == QuantizationType::Int ? LevelKind::Whole : args.num_bits == 8 ? LevelKind::E4m3 : LevelKind::E2m1;
    const QuantizationRange range = quantization_range(args);
    rounding.low = static_cast<float>(range.min);
    rounding.high = static_cast<float>(range.max);
    rounding.in_bfloat16 = dtype == at::kBFloat16 && qparams.scale.scalar_type() == at::kBFloat16;
    return rounding;
}

TensorLookup lookup_in(const std::vector<NamedTensor>& tensors, const std::string& prefix = "") {
    return [&tensors, prefix](const std::string& name) {
        const std::string full = prefix + name;
        const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& entry) { return entry.name == full; });
        return found == tensors.end() ? at::Tensor() : found->tensor;
    };
}

/// `place`: whose tensors they are, for messages.
QuantizedWeight read_stored(const TensorLookup& lookup, const QuantizationScheme& scheme, CompressionFormat format, const std::string& place) {
    try {
        return describe_levels(read_levels(lookup, scheme, format, at::kFloat), *scheme.weights, format);
    } catch (const InputError& error) {
        throw InputError(concat(place, ": ", error.what(), "."));
    }
}

}  // namespace

QuantizedWeight QuantizedWeights::find(const WeightRequest& request, const at::Tensor& weight) {
    QuantizedWeight quantized = request.weights ? round_to_nearest(request, weight) : find_stored(request);
    if (quantized.levels.defined() && quantized.levels.sizes() != weight.sizes())
        throw InputError(concat(request.module, " is of shape ", quantized.levels.sizes(), " in the export and of shape ", weight.sizes(),
                                " in the model: they do not belong together."));
    return quantized;
}

QuantizedWeight QuantizedWeights::find_stored(const WeightRequest& request) {
    const fs::path& run_dir = request.run_dir;
    const ModuleSpec owner = model_.owner_of(request.module);
    if (!run_dir.empty())
        if (std::optional<QuantizedWeight> kept = read_block(run_dir, owner)) return *kept;
    if (!request.checkpoint_dir.empty()) return read_export(request.checkpoint_dir, request.module);
    if (run_dir.empty()) return {};
    // The blocks that a run keeps are gone once it is finished: its export holds them then.
    if (export_) return read_export(export_->checkpoint().model_dir(), request.module);
    const fs::path output = read_run(run_dir).config.output_dir;
    std::error_code ignored;
    if (!output.empty() && fs::exists(output / "config.json", ignored)) return read_export(output, request.module);
    throw InputError(concat(run_dir.string(), " holds nothing of ", owner.name, owner.block < 0 ? ", which is not in a decoder block" : " yet",
                            ". Wait for the run to get there, or open its export."));
}

std::vector<std::string> QuantizedWeights::fused_modules(const WeightRequest& request) const {
    if (!request.fused_with.empty()) return request.fused_with;
    const ModuleSpec spec = model_.owner_of(request.module);
    if (spec.block < 0) return {};
    std::vector<std::string> names;
    for (const ModuleSpec& other : block_modules(model_.config(), spec.block)) names.push_back(other.name);
    for (const auto& group : find_fused_groups(names))
        if (std::find(group.begin(), group.end(), request.module) != group.end()) return group;
    return {};
}

/// What a run without tuning does, from the observer to the levels in the file.
QuantizedWeight QuantizedWeights::round_to_nearest(const WeightRequest& request, const at::Tensor& weight) const {
    const QuantizationScheme scheme{.targets = {}, .weights = resolve_defaults(*request.weights), .input_activations = {}, .output_activations = {}, .format = {}};
    const ModulePlan plan{.scheme = scheme, .format = infer_format(scheme), .tuning = {}};
    const auto observe = [&](const std::string& module, const at::Tensor& values) {
        ModuleObservers observers(module, plan);
        if (!request.channel_mean_square.empty() && observers.weight->wants_inputs())
            observers.weight->observe_input(at::tensor(request.channel_mean_square).sqrt().unsqueeze(0));
        observers.weight->observe(values);
        return std::move(observers.weight);
    };
    const std::unique_ptr<Observer> observer = observe(request.module, weight);
    if (scheme.weights->strategy == Strategy::TensorGroup) {
        std::vector<std::unique_ptr<Observer>> partners;
        std::vector<Observer*> group{observer.get()};
        for (const std::string& module : fused_modules(request)) {
            if (module == request.module) continue;
            partners.push_back(observe(module, model_.weight(module)));
            group.push_back(partners.back().get());
        }
        share_global_scale(group);
    }
    const QuantizationArgs& args = *scheme.weights;
    const QParams qparams = observed_qparams(*observer);
    if (auto rounding = rounding_by(qparams, weight, args, plan.format)) {  // spared levels and packing, which lose nothing
        QuantizedWeight quantized = describe_groups(read_back(qparams, args, plan.format, at::kFloat), weight.size(0), weight.size(1), args, plan.format);
        quantized.rounding = std::move(rounding);
        return quantized;
    }
    const std::vector<NamedTensor> tensors = compress_linear(weight, {}, {.weight = qparams, .input = {}, .output = {}}, scheme, plan.format);
    return read_stored(lookup_in(tensors), scheme, plan.format, request.module);
}

QuantizedWeight QuantizedWeights::read_export(const fs::path& checkpoint_dir, const std::string& module) {
    if (!export_) export_ = open_model_files(checkpoint_dir);
    const ModuleSpec spec = export_->owner_of(module);
    const StoredModule stored = export_->modules().find(spec);
    if (stored.layout == StoredModule::Layout::Missing) throw InputError(concat(export_->path(), " has no tensor ", stored.tensor, "."));
    if (stored.layout != StoredModule::Layout::Compressed) return {};
    const TensorLookup lookup = [&](const std::string& name) {
        const std::string full = concat(spec.name, ".", name);
        return export_->checkpoint().contains(full) ? export_->checkpoint().tensor(full) : at::Tensor();
    };
    return read_stored(lookup, *stored.scheme, export_->modules().format_of(*stored.scheme), concat(export_->path(), ": ", spec.name));
}

/// Of a block that the run has finished. Unset: it has kept none.
std::optional<QuantizedWeight> QuantizedWeights::read_block(const fs::path& run_dir, const ModuleSpec& spec) {
    if (spec.block < 0) return {};
    if (block_index_ != spec.block || !block_) {
        const BlockStore store(run_dir);
        block_.reset();
        if (!store.contains(block_name(spec.block))) return {};
        block_ = store.read(block_name(spec.block));
        block_index_ = spec.block;
    }
    const auto plan = block_->modules.find(spec.name);
    if (plan == block_->modules.end() || !plan->second.scheme.weights || plan->second.format == CompressionFormat::Dense) return QuantizedWeight{};
    return read_stored(lookup_in(block_->tensors, spec.name + "."), plan->second.scheme, plan->second.format,
                       concat("What ", run_dir.string(), " has kept of ", spec.name, " is damaged"));
}

}  // namespace calibench
