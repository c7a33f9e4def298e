#include "core/models/weight_store.h"

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/compressor.h"

namespace calibench {

WeightStore::WeightStore(const std::filesystem::path& model_dir, ComputeOptions options) : directory_(model_dir), options_(options) {}

Linear WeightStore::linear(const ModuleSpec& spec) const {
    Linear linear;
    linear.name = spec.name;
    linear.weight = weight(spec);
    if (spec.bias) linear.bias = to_compute(checkpoint().tensor(spec.name + ".bias"));
    const StoredModule stored = directory_.modules().find(spec);
    // A scheme with weights but no stored scale means a module that was left as it is.
    const bool quantized = stored.scheme && (stored.layout == StoredModule::Layout::Compressed || !stored.scheme->weights);
    if (quantized && stored.scheme->input_activations)
        linear.transform_input = activation_quantizer(spec.name, "input", *stored.scheme->input_activations);
    if (quantized && stored.scheme->output_activations)
        linear.transform_output = activation_quantizer(spec.name, "output", *stored.scheme->output_activations);
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

KeyValueTaps WeightStore::key_value_taps(const std::string& attention) const {
    KeyValueTaps taps;
    if (!config().quantization || !config().quantization->kv_cache_scheme) return taps;
    const QuantizationArgs& args = *config().quantization->kv_cache_scheme;
    taps.key.transform = activation_quantizer(attention, "k", args);
    taps.value.transform = activation_quantizer(attention, "v", args);
    return taps;
}

ActivationQuantizer WeightStore::activation_quantizer(const std::string& module, const std::string& what, const QuantizationArgs& args) const {
    const auto stored = [&](const char* name, bool required, at::ScalarType type) {
        const std::string tensor = concat(what, "_", name);
        const std::string full = concat(module, ".", tensor);
        if (checkpoint().contains(full)) return checkpoint().tensor(full).to(options_.device, type);
        if (required) throw InputError(concat(place(module), tensor, " is missing from the checkpoint."));
        return at::Tensor();
    };
    const bool fixed = args.dynamic == Dynamic::No;
    QParams qparams;
    qparams.scale = stored("scale", fixed, options_.dtype);
    qparams.zero_point = stored("zero_point", fixed && !args.symmetric, options_.dtype);
    qparams.global_scale = stored("global_scale", args.dynamic == Dynamic::Local, at::kFloat);
    return make_activation_quantizer(args, qparams);
}

at::Tensor WeightStore::to_compute(const at::Tensor& tensor) const { return tensor.to(options_.device, options_.dtype); }

std::string WeightStore::place(const std::string& module) const {
    return concat(checkpoint().model_dir().string(), ": ", module, ": ");
}

void WeightStore::release(const ModuleSpec& spec) const {
    for (const std::string& name : checkpoint().names_under(spec.name)) checkpoint().release(name);
}

}  // namespace calibench
