"""Writes small compressed-tensors checkpoints and what transformers computes from them.

usage: make_compressed.py FAMILIES OUT        (FAMILIES: ../families; llm-compressor 0.14, compressed-tensors 0.19, transformers 5.17)
Each OUT/<name>/ is what llm-compressor exports for one family and recipe, plus expected.safetensors: input_ids [2, 24],
attention_mask [2, 24] (row 1 left-padded by 5), logits and hidden_<i> float32 of the reloaded checkpoint. Compare at unpadded
positions.
"""
import os, sys
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

def unused_tokenizer():  # oneshot insists on one
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))

families, out = sys.argv[1:3]
weights = dict(num_bits=4, type="int", symmetric=False, strategy="group", group_size=32)
token = dict(num_bits=8, type="int", symmetric=True, strategy="token", dynamic=True)
CASES = {
    "w4a16_asym": ("llama", dict(weights=weights), []),
    "w8a8_dynamic": ("qwen2", dict(weights=dict(num_bits=8, type="int", symmetric=True, strategy="channel"), input_activations=token), []),
    "w8a8_static": ("llama_tied_bias", dict(weights=dict(num_bits=8, type="int", symmetric=True, strategy="channel"),
                    input_activations=dict(num_bits=8, type="int", symmetric=False, strategy="tensor", dynamic=False, observer="static_minmax")), []),
    "w4a16_experts": ("qwen3_moe", dict(weights=dict(weights, symmetric=True, group_size=16)), ["re:.*self_attn.k_proj$"]),
    "fp8_dynamic": ("mistral", dict(weights=dict(num_bits=8, type="float", symmetric=True, strategy="channel"),
                    input_activations=dict(token, type="float")), []),
}
for name, (family, scheme, ignore) in CASES.items():
    source, target = os.path.join(families, family), os.path.join(out, name)
    given = load_file(os.path.join(source, "expected.safetensors"))
    ids, mask = given["input_ids"], given["attention_mask"]
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    modifier = QuantizationModifier(ignore=["lm_head"] + ignore, config_groups={"group_0": dict(scheme, targets=["Linear"])})
    data = torch.utils.data.DataLoader([dict(input_ids=row, attention_mask=m) for row, m in zip(ids, mask)], batch_size=len(ids))
    oneshot(model=model, processor=unused_tokenizer(), recipe=[modifier], dataset=data, output_dir=target)
    again = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32, attn_implementation="eager").eval()
    hidden = []
    for layer in again.model.layers:
        layer.register_forward_hook(lambda _, __, output: hidden.append(output[0] if isinstance(output, tuple) else output))
    with torch.no_grad():
        logits = again(input_ids=ids, attention_mask=mask).logits
    save_file({"input_ids": ids, "attention_mask": mask, "logits": logits.float().contiguous(),
               **{f"hidden_{i}": h.float().contiguous() for i, h in enumerate(hidden)}}, os.path.join(target, "expected.safetensors"))
    for file in os.listdir(target):
        if file not in ("config.json", "model.safetensors", "expected.safetensors"): os.remove(os.path.join(target, file))
    print(name, "logits differ from the dense model's by", (logits - given["logits"])[mask.bool()].abs().max().item())
