#include "core/evaluation/forward.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/checkpoint/checkpoint_writer.h"
#include "core/evaluation/compute_options.h"
#include "core/models/causal_lm.h"
#include "core/models/safetensors.h"

namespace calibench {

namespace {

struct Inputs {
    at::Tensor ids;   ///< int64 [batch, seq]
    at::Tensor mask;  ///< bool of the same shape, or undefined
};

Inputs read_inputs(const std::filesystem::path& path) {
    const SafetensorsFile file(path);
    const auto refuse = [&](const auto&... problem) { throw InputError(concat(path.string(), ": ", problem..., ".")); };
    if (!file.contains("input_ids")) refuse("there is no tensor input_ids");
    const at::Tensor ids = file.tensor("input_ids");
    if (ids.dim() != 2 || ids.numel() == 0) refuse("input_ids must have the shape [batch, sequence], not ", ids.sizes());
    if (!at::isIntegralType(ids.scalar_type(), /*includeBool=*/false))
        refuse("input_ids must be integers, not ", file.entries().at("input_ids").dtype);

    Inputs inputs{ids.to(at::kLong), {}};
    if (file.contains("attention_mask")) {
        const at::Tensor mask = file.tensor("attention_mask");
        if (mask.sizes() != ids.sizes()) refuse("attention_mask has the shape ", mask.sizes(), ", but input_ids ", ids.sizes());
        inputs.mask = mask.ne(0);
    }
    return inputs;
}

}  // namespace

void forward_file(const ForwardOptions& options) {
    const at::NoGradGuard no_grad;
    if (options.threads > 0) at::set_num_threads(options.threads);
    const Inputs inputs = read_inputs(options.inputs);
    const DType stored = read_model_config(options.model_dir).dtype;
    const auto model = CausalLm::open(options.model_dir, choose_compute(options.device, options.dtype, stored));
    const SequenceContext context{.attention_mask = inputs.mask};
    const auto written = [](const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); };

    std::vector<NamedTensor> outputs;
    at::Tensor hidden = model->embed(inputs.ids);
    for (int64_t i = 0; i < model->config().num_hidden_layers; ++i) {
        hidden = model->load_block(i)->forward(hidden, context);
        outputs.push_back({concat("hidden_", i), written(hidden)});
    }
    outputs.push_back({"logits", written(model->logits(hidden))});
    write_safetensors(options.output, outputs);
}

}  // namespace calibench
