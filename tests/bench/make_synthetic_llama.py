#!/usr/bin/env python3
"""Writes a Llama of any size with random bfloat16 weights, to measure memory and time on. Needs numpy alone, and holds a few
rows at a time.

    make_synthetic_llama.py OUT --hidden 4096 --intermediate 14336 --heads 32 --kv-heads 8 --layers 14 --vocab 32000

The tokenizer is the demo model's, whose ids are the first of the vocabulary.
"""

import argparse
import json
import shutil
import struct
from pathlib import Path

import numpy as np

DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo" / "tiny-llama-shakespeare"
VALUES_AT_A_TIME = 1 << 22


def to_bfloat16(values):
    """The upper halves of float32, rounded to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def layer_tensors(options, layer):
    hidden, intermediate = options.hidden, options.intermediate
    head_dim = hidden // options.heads
    prefix = f"model.layers.{layer}."
    return {
        prefix + "input_layernorm.weight": [hidden],
        prefix + "mlp.down_proj.weight": [hidden, intermediate],
        prefix + "mlp.gate_proj.weight": [intermediate, hidden],
        prefix + "mlp.up_proj.weight": [intermediate, hidden],
        prefix + "post_attention_layernorm.weight": [hidden],
        prefix + "self_attn.k_proj.weight": [options.kv_heads * head_dim, hidden],
        prefix + "self_attn.o_proj.weight": [hidden, hidden],
        prefix + "self_attn.q_proj.weight": [hidden, hidden],
        prefix + "self_attn.v_proj.weight": [options.kv_heads * head_dim, hidden],
    }


def shards(options):
    """Embedding, then every layer, then norm and head: each a file."""
    yield {"model.embed_tokens.weight": [options.vocab, options.hidden]}
    for layer in range(options.layers):
        yield layer_tensors(options, layer)
    last = {"model.norm.weight": [options.hidden]}
    if not options.tied:
        last["lm_head.weight"] = [options.vocab, options.hidden]
    yield last


def write_shard(path, tensors, random):
    """Returns the bytes of its tensors."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        begin, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in tensors.values():
            left = int(np.prod(shape))
            while left > 0:
                count = min(left, VALUES_AT_A_TIME)
                if len(shape) == 1:  # a norm
                    values = np.ones(count, np.float32)
                else:
                    values = random.standard_normal(count, np.float32) * np.float32(shape[1] ** -0.5)
                file.write(to_bfloat16(values).tobytes())
                left -= count
    return end


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path, help="directory to write; must not exist")
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--intermediate", type=int, default=14336)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--kv-heads", type=int, default=8)
    parser.add_argument("--layers", type=int, default=14)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--tied", action="store_true", help="head and embedding share one weight")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    options.out.mkdir(parents=True)
    random = np.random.default_rng(options.seed)
    todo = list(shards(options))
    weight_map, total = {}, 0
    for index, tensors in enumerate(todo):
        name = f"model-{index + 1:05d}-of-{len(todo):05d}.safetensors"
        total += write_shard(options.out / name, tensors, random)
        weight_map.update(dict.fromkeys(tensors, name))
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (options.out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")

    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": options.hidden,
        "intermediate_size": options.intermediate,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.kv_heads,
        "head_dim": options.hidden // options.heads,
        "num_hidden_layers": options.layers,
        "vocab_size": options.vocab,
        "max_position_embeddings": 4096,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": options.tied,
        "torch_dtype": "bfloat16",
    }
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(DEMO / file, options.out)
    print(f"{options.out}: {total / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
