#include "core/models/weight_store.h"

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/compressor.h"
#include "core/quantization/fake_quantize.h"

namespace calibench {

WeightStore::WeightStore(const std::filesystem::path& model_dir, ComputeOptions options) : directory_(model_dir), options_(options) {}

Linear WeightStore::linear(const ModuleSpec& spec) const {
    Linear linear;
    linear.name = spec.name;
    linear.weight = weight(spec);
    if (spec.bias) linear.bias = to_compute(checkpoint().tensor(spec.name + ".bias"));
    const StoredModule stored = directory_.modules().find(spec);
    if (stored.layout == StoredModule::Layout::Compressed && stored.scheme->input_activations)
        quantize_input(linear, *stored.scheme->input_activations);
    return linear;
}

RmsNorm WeightStore::norm(const ModuleSpec& spec) const { return {weight(spec), config().rms_norm_eps}; }

at::Tensor WeightStore::weight(const ModuleSpec& spec) const {
    const StoredModule stored = directory_.modules().find(spec);
    if (stored.layout == StoredModule::Layout::Compressed) return decompress(spec, *stored.scheme);
    const at::Tensor whole = checkpoint().tensor(stored.tensor);
    if (stored.layout == StoredModule::Layout::ExpertSlice)
        return to_compute(whole.select(0, spec.expert).narrow(0, stored.first_row, spec.weight_shape[0]));
    const at::Tensor converted = to_compute(whole);
    if (!converted.is_alias_of(whole)) release(spec);
    return converted;
}

at::Tensor WeightStore::weight_rows(const ModuleSpec& spec, const at::Tensor& rows) const {
    const StoredModule stored = directory_.modules().find(spec);
    if (stored.layout == StoredModule::Layout::Dense) return to_compute(checkpoint().tensor(stored.tensor).index_select(0, rows));
    return weight(spec).index_select(0, rows.to(options_.device));
}

at::Tensor WeightStore::decompress(const ModuleSpec& spec, const QuantizationScheme& scheme) const {
    const auto lookup = [&](const std::string& name) {
        const std::string full = concat(spec.name, ".", name);
        return checkpoint().contains(full) ? checkpoint().tensor(full) : at::Tensor();
    };
    at::Tensor dense;
    try {
        dense = decompress_linear(lookup, scheme, directory_.modules().format_of(scheme), options_.dtype);
    } catch (const InputError& error) {
        throw InputError(place(spec.name) + error.what());
    }
    if (dense.sizes() != at::IntArrayRef(spec.weight_shape))
        throw InputError(concat(place(spec.name), "decompresses to the shape ", dense.sizes(), " where config.json asks for ",
                                at::IntArrayRef(spec.weight_shape), "."));
    release(spec);
    return to_compute(dense);
}

void WeightStore::quantize_input(Linear& linear, const QuantizationArgs& args) const {
    const auto stored = [&](const char* name, bool required, at::ScalarType type) {
        const std::string full = concat(linear.name, ".", name);
        if (checkpoint().contains(full)) return checkpoint().tensor(full).to(options_.device, type);
        if (required) throw InputError(concat(place(linear.name), name, " is missing from the checkpoint."));
        return at::Tensor();
    };
    const bool fixed = args.dynamic == Dynamic::No;
    QParams qparams;
    qparams.scale = stored("input_scale", fixed, options_.dtype);
    qparams.zero_point = stored("input_zero_point", fixed && !args.symmetric, options_.dtype);
    qparams.global_scale = stored("input_global_scale", args.dynamic == Dynamic::Local, at::kFloat);

    linear.transform_input = [args, fixed, qparams](const at::Tensor& input) {
        QParams now = qparams;
        if (!fixed) {
            const ScaleAndZeroPoint found = compute_dynamic_qparams(input, args, qparams.global_scale);
            now.scale = found.scale;
            now.zero_point = found.zero_point;
        }
        return fake_quantize(input, now, args).to(input.scalar_type());
    };
}

at::Tensor WeightStore::to_compute(const at::Tensor& tensor) const { return tensor.to(options_.device, options_.dtype); }

std::string WeightStore::place(const std::string& module) const {
    return concat(checkpoint().model_dir().string(), ": ", module, ": ");
}

void WeightStore::release(const ModuleSpec& spec) const {
    for (const std::string& name : checkpoint().names_under(spec.name)) checkpoint().release(name);
}

}  // namespace calibench
