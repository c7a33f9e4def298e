"""Writes blocks.safetensors: decoder blocks tuned by auto-round's own quantize_block, with options that golden/autoround_block lacks.

usage: make_blocks.py OUT        (auto-round 0.15, transformers, torch; one thread)
Llama layers in float32 with eager attention, all samples in one batch in natural order. Shared: cos, sin, mask, x [samples, seq, hidden],
norm.weight and head.weight of the model's end, labels [samples, seq], layer<i>.<parameter>. Per case: <case>.loss [iterations],
<case>.best, and of the best iterate <case>.<layer>.<module>.max_scale, .qdq.

v2_*:      SignRoundV2 (enable_alg_ext), the imatrix from the inputs x; the first case leaves a thousandth of the errors out of its loss
lfq:       the last block's cross-entropy
static:    inputs of o_proj and down_proj in FP8 with a static scale, whose factor is <case>.<layer>.<module>.act_max_scale
nblocks:   two blocks tuned together
"""
import os, sys
from types import SimpleNamespace as NS
import torch
import auto_round.algorithms.quantization.sign_round.quantizer as quantizer_module
from auto_round.algorithms.quantization.sign_round.config import SignRoundConfig, SignRoundV2Config
from auto_round.algorithms.quantization.sign_round.quantizer import SignRoundQuantizer
from auto_round.algorithms.quantization.sign_roundv2.quantizer import SignRoundV2Quantizer
from auto_round.wrapper import WrapperMultiblock
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)
SAMPLES, SEQ, HIDDEN, VOCAB, ITERS = 6, 12, 32, 40, 8
CASES = {  # blocks, scheme, options
    "v2_w2": ([0], dict(bits=2, group_size=32), dict(enable_alg_ext=True)),
    "v2_w4": ([0], dict(bits=4, group_size=32), dict(enable_alg_ext=True)),
    "v2_nvfp4": ([0], dict(bits=4, group_size=16, data_type="nv_fp"), dict(enable_alg_ext=True, lr=0.02)),
    "v2_mxfp4": ([0], dict(bits=4, group_size=32, data_type="mx_fp"), dict(enable_alg_ext=True, lr=0.05)),
    "lfq": ([1], dict(bits=3, group_size=32), dict(enable_lfq=True, lr=0.02)),
    "static": ([0], dict(bits=4, group_size=32), dict(lr=0.02, minmax_lr=0.005)),
    "nblocks": ([0, 1], dict(bits=3, group_size=32), dict(nblocks=2, lr=0.02)),
}


def make_model():
    torch.manual_seed(11)
    config = LlamaConfig(hidden_size=HIDDEN, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1, head_dim=16,
                         num_hidden_layers=2, vocab_size=VOCAB, rms_norm_eps=1e-5, max_position_embeddings=64, attn_implementation="eager")
    model = LlamaForCausalLM(config).float().eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5 if parameter.dim() == 2 else 1 + 0.1 * torch.randn_like(parameter))
    return model


class Order:
    """In the place of the shuffled one."""
    def __init__(self, *_): pass
    def next_batch(self): return list(range(SAMPLES))


quantizer_module.IndexSampler = Order
model = make_model()
x = torch.randn(SAMPLES, SEQ, HIDDEN)
position_ids = torch.arange(SEQ).unsqueeze(0)
cos, sin = model.model.rotary_emb(x, position_ids)
mask = torch.triu(torch.full((SEQ, SEQ), torch.finfo(torch.float32).min), 1).reshape(1, 1, SEQ, SEQ)
labels = torch.randint(0, VOCAB, (SAMPLES, SEQ))
labels[:, -1] = -100
labels[1, 5:] = -100


def forward(block, inputs):
    for layer in getattr(block, "layers", [block]):
        inputs = layer(inputs, attention_mask=mask.expand(inputs.shape[0], 1, SEQ, SEQ), position_ids=position_ids, position_embeddings=(cos, sin))
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
    return inputs


def tune(indices, scheme, options, rounds_inputs=False):
    model = make_model()
    scheme = dict(dict(data_type="int", sym=True, act_bits=16, act_data_type="float", act_sym=True, act_group_size=-1, act_dynamic=True), **scheme)
    layers = [model.model.layers[i] for i in indices]
    for layer in layers:
        for module in layer.modules():
            if isinstance(module, torch.nn.Linear):
                for name, value in dict(scheme, scale_dtype=torch.float16).items():
                    setattr(module, name, value)
    static = [layers[0].self_attn.o_proj, layers[0].mlp.down_proj] if rounds_inputs else []
    for module in static:
        module.act_bits, module.act_data_type, module.act_group_size, module.act_dynamic = 8, "fp8", 0, False
        module.register_forward_pre_hook(lambda module, inputs: setattr(module, "act_max", inputs[0].abs().max().reshape(1)))
    block = layers[0] if len(layers) == 1 else WrapperMultiblock(layers)
    with torch.no_grad():
        reference = forward(block, x)
    for module in static:
        module._forward_pre_hooks.clear()
    second = options.get("enable_alg_ext", False)
    config = (SignRoundV2Config if second else SignRoundConfig)(iters=ITERS, **scheme, **options)
    config.finalize_scheme()
    losses = []

    class Quantizer(SignRoundV2Quantizer if second else SignRoundQuantizer):
        scheme = NS(super_group_size=None, super_bits=None)
        model_context = NS(amp=False, amp_dtype=torch.float32, model=model, is_diffusion=False)
        compress_context = NS(low_gpu_mem_usage=False, enable_torch_compile=False, cache_device="cpu", clear_memory=lambda *_: None)
        calibration_context = NS(batch_size=SAMPLES, batch_dim=0)
        block_forward = NS(forward=lambda block, inputs, others, picked, device=None: forward(block, torch.cat([inputs[i] for i in picked])))

        def _get_loss(self, *args, **kwargs):
            losses.append(super()._get_loss(*args, **kwargs))
            return losses[-1]

        def lfq_loss(self, *args):
            losses.append(super().lfq_loss(*args))
            return losses[-1]

    vars(Quantizer.scheme).update(scheme)
    quantizer = Quantizer(config)
    if second:
        quantizer.prepare_run()
        handles = quantizer._register_imatrix_hooks(block)
        with torch.no_grad():
            forward(block, x)
        for handle in handles:
            handle.remove()
        from auto_round.data_type.utils import update_block_global_scale_if_needed
        update_block_global_scale_if_needed(block, scheme["data_type"], scheme["group_size"])
    best = quantizer.quantize_block(block, list(x.split(1)), {}, list(reference.split(1)), None, NS(block_index=0, block_cnt=1, block_name="layers"),
                                    input_ids=list(labels.split(1)) if options.get("enable_lfq") else None)
    return losses, best, layers


tensors = dict(cos=cos, sin=sin, mask=mask, x=x, labels=labels, **{"norm.weight": model.model.norm.weight, "head.weight": model.lm_head.weight})
for i, layer in enumerate(model.model.layers):
    tensors |= {f"layer{i}.{name}": parameter for name, parameter in layer.named_parameters()}
for case, (indices, scheme, options) in CASES.items():
    losses, best, layers = tune(indices, scheme, options, case == "static")
    losses = [loss.item() for loss in losses]
    tensors[f"{case}.loss"] = torch.tensor(losses, dtype=torch.float64)
    tensors[f"{case}.best"] = torch.tensor(min(range(len(losses)), key=losses.__getitem__))
    print(case, losses)
    for name, parameters in best.items():
        place, module = (name.split(".", 2)[1:] if len(indices) > 1 else (0, name))
        key = f"{case}.layer{indices[int(place)]}.{module}"
        if "act_max_scale" in parameters:
            tensors[f"{key}.act_max_scale"] = parameters["act_max_scale"]
        tensors |= {f"{key}.max_scale": parameters["max_scale"], f"{key}.qdq": layers[int(place)].get_submodule(module).weight}
save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, os.path.join(sys.argv[1], "blocks.safetensors"))
