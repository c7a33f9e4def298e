"""Writes steps.safetensors: weights tuned by auto-round's own functions and optimizer, given the gradients.

usage: make_steps.py OUT        (auto-round 0.15, torch)
Per case: <case>.weight, <case>.gradient [steps, rows, columns] (d loss / d qdq before each step), and after the steps <case>.v
(grouped), <case>.max_scale, <case>.qdq, <case>.scale as the function returns it; min_scale where the function has one. lr 0.2,
minmax_lr 0.05, linear decay over 6 iterations (constant in cases named so), scales in float16.
"""
import os, sys
import torch
from auto_round.algorithms.quantization.sign_round.sign_sgd import SignSGD
from auto_round.data_type import fp8, int as integer, mxfp, nvfp
from auto_round.data_type.utils import reshape_pad_tensor_by_group_size
from safetensors.torch import save_file

STEPS, ITERS, LR, MINMAX_LR = 4, 6, 0.2, 0.05
INT4 = dict(bits=4, group_size=32)
CASES = {  # function, its arguments, momentum, linear decay, dtype
    "int4_sym_momentum": (integer.quant_tensor_sym, INT4, 0.9, True, torch.float32),
    "int4_asym_momentum_constant": (integer.quant_tensor_asym, INT4, 0.5, False, torch.float32),
    "int4_sym_constant": (integer.quant_tensor_sym, INT4, 0.0, False, torch.float32),
    "fp8_tensor": (fp8.quant_fp8_sym, dict(group_size=0), 0.0, True, torch.float32),
    "fp8_channel": (fp8.quant_fp8_sym, dict(group_size=-1), 0.0, True, torch.bfloat16),
    "fp8_block": (fp8.quant_block_fp_sym, dict(group_size=(8, 32)), 0.0, True, torch.float32),
    "nvfp4": (nvfp.nv_fp4, dict(group_size=16), 0.0, True, torch.bfloat16),
    "nvfp4_momentum": (nvfp.nv_fp4, dict(group_size=16), 0.9, True, torch.float32),
    "mxfp4": (mxfp.quant_mx, dict(bits=4, group_size=32, data_type="mx_fp"), 0.0, True, torch.float32),
    "mxfp8": (mxfp.quant_mx, dict(bits=8, group_size=32, data_type="mx_fp"), 0.0, True, torch.bfloat16),
}

tensors = {}
for number, (name, (function, arguments, momentum, decays, dtype)) in enumerate(CASES.items()):
    generator = torch.Generator().manual_seed(number)
    weight = (torch.randn(16, 64, generator=generator) * 0.05).to(dtype)
    gradients = torch.randn(STEPS, 16, 64, generator=generator).to(dtype)
    groups = reshape_pad_tensor_by_group_size(weight, arguments["group_size"])[0]
    tiled = groups.dim() == 4
    low, high = (groups.amin((-2, -1)), groups.amax((-2, -1))) if tiled else (groups.min(1)[0], groups.max(1)[0])
    fixed = dict(arguments, tensor_min=low.clamp(max=0), tensor_max=high.clamp(min=0), scale_dtype=torch.float16, q_scale_thresh=1e-5)
    if function is nvfp.nv_fp4:
        fixed["global_scale"] = nvfp.calculate_gparam(weight, 16)
        tensors[name + ".global_scale"] = fixed["global_scale"].reshape(1).float()
    v = torch.nn.Parameter(torch.zeros(groups.shape))
    scales = [torch.nn.Parameter(torch.ones(groups.shape[: groups.dim() // 2])) for _ in range(2)]
    optimizer = SignSGD([{"params": [v], "lr": torch.tensor(LR)}, {"params": scales, "lr": torch.tensor(MINMAX_LR)}],
                        lr=torch.tensor(LR), weight_decay=0, momentum=momentum)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=ITERS) if decays else None

    def quantize():
        for scale in scales:
            scale.data.clamp_(0, 1)
        qdq, scale, _ = function(weight, v=v, min_scale=scales[0], max_scale=scales[1], **fixed)
        return qdq.to(dtype), scale

    for gradient in gradients:
        quantize()[0].backward(gradient)
        optimizer.step()
        optimizer.zero_grad()
        if schedule:
            schedule.step()
    qdq, scale = quantize()
    tensors |= {f"{name}.{key}": value.detach().clone().contiguous() for key, value in dict(
        weight=weight, gradient=gradients, v=v, min_scale=scales[0], max_scale=scales[1], qdq=qdq, scale=scale).items()}
save_file(tensors, os.path.join(sys.argv[1], "steps.safetensors"))
