"""Writes opt_rtn.safetensors: weights rounded by auto-round's quant_tensor_opt_rtn_sym with an imatrix.

usage: make_opt_rtn.py OUT        (auto-round 0.15, torch)
Per case: <case>.weight, <case>.imatrix [columns], <case>.qdq, <case>.scale [groups, 1].
"""
import os, sys
import torch
from auto_round.data_type.int import quant_tensor_opt_rtn_sym
from safetensors.torch import save_file

CASES = {  # bits, group_size, dtype, columns whose inputs were all zero
    "w4_g32": (4, 32, torch.float32, []),
    "w2_g32_bf16": (2, 32, torch.bfloat16, []),
    "w8_channel": (8, -1, torch.float32, []),
    "w4_g32_some_dead": (4, 32, torch.float32, [3, 40, 41]),
    "w4_g32_most_dead": (4, 32, torch.float32, list(range(20))),
    "w3_g32_most_dead": (3, 32, torch.float32, list(range(20))),
}
tensors = {}
for number, (name, (bits, group_size, dtype, dead)) in enumerate(CASES.items()):
    generator = torch.Generator().manual_seed(100 + number)
    weight = (torch.randn(12, 64, generator=generator) * 0.05).to(dtype)
    imatrix = torch.rand(64, generator=generator) ** 4 * 100
    imatrix[dead] = 0
    qdq, scale, _ = quant_tensor_opt_rtn_sym(weight.clone(), bits=bits, group_size=group_size, imatrix=imatrix.clone())
    tensors |= {f"{name}.{key}": value.clone().contiguous() for key, value in dict(weight=weight, imatrix=imatrix, qdq=qdq, scale=scale).items()}
save_file(tensors, os.path.join(sys.argv[1], "opt_rtn.safetensors"))
