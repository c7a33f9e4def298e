"""Exports a model twice, by `calibench-cli run` and by llm-compressor's oneshot, with one recipe and the same samples, and compares
the checkpoints: tensors byte by byte, quantization_config key by key, and the logits of ours in transformers and in
`calibench-cli forward`. Run by hand where llmcompressor is installed:

    python compare_llmcompressor.py --cli build/bin/calibench-cli --model resources/demo/tiny-llama-shakespeare \
        --text resources/demo/shakespeare.txt [--only NAME ...] [--keep DIR]

`bytes`: equal, or how many tensors differ and by how much at most. Static scales of activations, and weights that imatrix_mse rounds by
what passes their inputs, come out of a forward pass, which two libraries round differently: those may differ a little. Everything else
must be equal. Exits with 1 when it is not.

Of models with experts only the weights can be compared so: transformers 5.17 leaves out the rounding of experts' activations and their
NVFP4 global scale, and llm-compressor's traced forward of Qwen3-MoE gives other attention outputs than transformers' own (max |x| into
layer 0's o_proj of the demo: 0.62 where transformers and Calibench have 0.79).
"""

import argparse
import contextlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
warnings.filterwarnings("ignore")

import torch
import yaml
from compressed_tensors.quantization.quant_scheme import PRESET_SCHEMES
from llmcompressor import oneshot
from loguru import logger
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer, CompressedTensorsConfig

LOGITS_TOLERANCE = 2e-2
ACTIVATION_TOLERANCE = 5e-2  # one bfloat16 forward against another, thirty layers deep
IMPORTANCE_TOLERANCE = 2e-2  # share of the scales that may differ
# llm-compressor rounds outputs while it calibrates, with scales that it has not set yet: its scales behind them mean nothing.
PEER_SCALES_UNDEFINED = {"FP8 outputs"}


def weights(**fields):
    return {"config_groups": {"group_0": {"targets": ["Linear"], "weights": fields}}}


def static(**fields):
    return {"num_bits": 8, "type": "int", "strategy": "tensor", "dynamic": False, **fields}


INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 64}
FP8 = {"num_bits": 8, "type": "float", "strategy": "tensor"}
MLP, ATTENTION = r"re:.*mlp\.(gate|up|down)_proj$", r"re:.*self_attn\.(q|k|v|o)_proj$"


def preset(name, targets):
    return PRESET_SCHEMES[name] | {"targets": targets}


def cases():
    """Name -> fields of QuantizationModifier."""
    found = {name: {"scheme": name} for name in PRESET_SCHEMES if name != "UNQUANTIZED"}
    found |= {
        "int4 g64 asym": weights(**INT4, symmetric=False),
        "int3 channel asym": weights(num_bits=3, type="int", strategy="channel", symmetric=False),
        "int4 tensor": weights(num_bits=4, type="int", strategy="tensor"),
        "int8 g32 asym": weights(num_bits=8, type="int", strategy="group", group_size=32, symmetric=False),
        "fp8 weight only": weights(num_bits=8, type="float", strategy="channel"),
        "fp8 block": weights(num_bits=8, type="float", strategy="block", block_structure=[128, 128]),
        "int4 g64 mse": weights(**INT4, observer="mse"),
        "int4 g64 mse kwargs": weights(**INT4, observer="memoryless_mse", observer_kwargs={"maxshrink": 0.5, "grid": 50, "norm": 2.0}),
        "int4 g64 imatrix": weights(**INT4, observer="imatrix_mse"),
        "int4 actorder weight": weights(**INT4, actorder="weight"),
        "NVFP4A16 expanded mse": {"scheme": "NVFP4A16", "weight_observer": "nvfp4_expanded_mse"},
        "W8A8 static": {"config_groups": {"group_0": {
            "targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "channel"}, "input_activations": static()}}},
        "W8A8 static asym": {"config_groups": {"group_0": {
            "targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "channel"},
            "input_activations": static(symmetric=False, observer="static_minmax")}}},
        "FP8 outputs": {"config_groups": {"group_0": {
            "targets": ["Linear"], "weights": FP8, "input_activations": FP8, "output_activations": FP8}}},
        "KV cache fp8": {"scheme": "FP8", "kv_cache_scheme": {**FP8, "dynamic": False, "symmetric": True}},
        "KV cache int8 head": {"scheme": "W4A16", "kv_cache_scheme": {"num_bits": 8, "type": "int", "strategy": "attn_head"}},
        "KV cache alone": {"kv_cache_scheme": {**FP8, "dynamic": False, "symmetric": True}},
        "mixed": {"config_groups": {
            "mlp": preset("NVFP4", [MLP]), "attention": preset("FP8_DYNAMIC", [ATTENTION])}},
        "mixed int": {"config_groups": {
            "mlp": {"targets": [MLP], "weights": INT4}, "attention": {"targets": [ATTENTION], "weights": {**INT4, "num_bits": 8}}}},
        "activations only": {"config_groups": {"group_0": {"targets": ["Linear"], "input_activations": static()}}},
        "embedding int8": {"config_groups": {"group_0": {
            "targets": ["Embedding"], "weights": {"num_bits": 8, "strategy": "channel"}}}},
        "head too": {"scheme": "W4A16", "ignore": []},
    }
    return {name: {"targets": ["Linear"], "ignore": ["lm_head"], **fields} for name, fields in found.items()}


def plain(value):
    """JSON types only: enums and models become what a recipe says."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def export_with_peer(options, recipe, ids, output):
    batches = DataLoader([{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in ids], batch_size=len(ids))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        oneshot(model=str(options.model), dataset=batches, recipe=str(recipe), output_dir=str(output), num_calibration_samples=len(ids))


def call(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[0])


def export_with_ours(options, recipe, samples, ids, output):
    call([options.cli, "run", "--model", options.model, "--dataset", samples, "--recipe", recipe, "--output", output, "--quiet",
          "--num-samples", len(ids), "--seq-len", ids.shape[1], "--batch-size", len(ids), "--device", "cpu", "--dtype", "bfloat16"])


def load_all(directory):
    tensors = {}
    for shard in sorted(directory.glob("*.safetensors")):
        tensors |= load_file(shard)
    return tensors


def of_activations(name):
    return name.rsplit(".", 1)[1].split("_")[0] in ("input", "output", "q", "k", "v")


def largest_difference(name, ours, theirs):
    ours, theirs = ours.float(), theirs.float()
    return ((ours - theirs).abs() / (256 if name.endswith("zero_point") else theirs.abs().clamp_min(1e-12))).max().item()


def compare_tensors(case, ours, theirs):
    """A verdict for the table, and whether it is a good one."""
    ours, theirs = load_all(ours), load_all(theirs)
    extra, missing = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    if extra or missing:
        return f"{len(extra)} too many, {len(missing)} missing: {(extra + missing)[0]}", False
    for name, tensor in theirs.items():
        if ours[name].dtype != tensor.dtype or ours[name].shape != tensor.shape:
            return f"{name}: {ours[name].dtype} {list(ours[name].shape)} for {tensor.dtype} {list(tensor.shape)}", False
    as_bytes = lambda tensor: tensor.contiguous().view(-1).view(torch.uint8)
    unequal = [name for name, tensor in theirs.items() if not torch.equal(as_bytes(ours[name]), as_bytes(tensor))]
    if not unequal:
        return f"equal ({len(theirs)})", True
    if all(of_activations(name) for name in unequal):
        worst = max(largest_difference(name, ours[name], theirs[name]) for name in unequal)
        good = worst < ACTIVATION_TOLERANCE or case in PEER_SCALES_UNDEFINED
        return f"{len(unequal)} of {len(theirs)} activation scales differ by {worst:.1e}", good
    if "imatrix" in case:
        scales = [name for name in theirs if name.endswith("weight_scale")]
        share = sum((ours[name] != theirs[name]).sum().item() for name in scales) / sum(theirs[name].numel() for name in scales)
        return f"{100 * share:.2f} % of the weight scales differ", share < IMPORTANCE_TOLERANCE
    return f"{len(unequal)} of {len(theirs)} differ, first {next(name for name in unequal if not of_activations(name))}", False


def differences(ours, theirs, path=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [found for key in sorted(ours.keys() | theirs.keys())
                for found in differences(ours.get(key, "(none)"), theirs.get(key, "(none)"), f"{path}/{key}")]
    return [] if ours == theirs else [f"{path}: {ours} for {theirs}"]


def compare_configs(ours, theirs):
    read = lambda directory: json.loads((directory / "config.json").read_text())
    # Both write what they started from, transformers in its own newer spelling.
    found = [difference for key in ("quantization_config", "tie_word_embeddings")
             for difference in differences(read(ours).get(key), read(theirs).get(key), key)]
    return ("equal", True) if not found else (found[0] + (f" and {len(found) - 1} more" if len(found) > 1 else ""), False)


def load_in_transformers(directory):
    decompressed = CompressedTensorsConfig(dequantize=True)
    with contextlib.redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, device_map="cpu", quantization_config=decompressed)
    return model.float()  # the FP4 and MX formats decompress to bfloat16 whatever the model's dtype


def compare_logits(options, directory, peers, ids, scratch):
    inputs, outputs = scratch / "forward-in.safetensors", scratch / "forward-out.safetensors"
    save_file({"input_ids": ids.contiguous()}, inputs)
    call([options.cli, "forward", "--model", directory, "--inputs", inputs, "--output", outputs])
    ours = load_file(outputs)["logits"]
    try:
        load_in_transformers(peers)
    except Exception as error:
        return f"transformers cannot load llm-compressor's own: {type(error).__name__}", True
    with torch.no_grad():
        theirs = load_in_transformers(directory)(input_ids=ids, use_cache=False).logits
    difference = ((ours - theirs).norm() / theirs.norm()).item()
    return f"{difference:.1e}", math.isfinite(difference) and difference <= LOGITS_TOLERANCE


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:110], False


def compare(options, name, fields, samples, ids, directory):
    directory.mkdir()
    recipe = directory / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"test_stage": {"quantization_modifiers": {"QuantizationModifier": plain(fields)}}}))
    ours, theirs = directory / "ours", directory / "theirs"
    failures = []
    for who, export, extra in (("llm-compressor", export_with_peer, ()), ("calibench", export_with_ours, (samples,))):
        try:
            export(options, recipe, *extra, ids, ours if who == "calibench" else theirs)
        except Exception as error:
            failures.append(f"{who}: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"[:150])
    if len(failures) == 2:
        return ["both refuse", failures[0], failures[1]], True
    if failures:
        return ["-", failures[0], "-"], False
    verdicts = [attempt(compare_tensors, name, ours, theirs), attempt(compare_configs, ours, theirs),
                attempt(compare_logits, options, ours, theirs, ids[:2], directory)]
    return [text for text, _ in verdicts], all(good for _, good in verdicts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", required=True, type=Path)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of cases; default: all")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--keep", type=Path, help="leave the exports here")
    options = parser.parse_args()
    logger.remove()
    unknown = sorted(set(options.only) - cases().keys())
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are: {', '.join(cases())}")

    scratch = options.keep or Path(tempfile.mkdtemp(prefix="calibench-compare-"))
    scratch.mkdir(parents=True, exist_ok=True)
    ids = AutoTokenizer.from_pretrained(options.model)(options.text.read_text(), return_tensors="pt").input_ids[0]
    ids = ids[: options.samples * options.seq_len].reshape(options.samples, options.seq_len)
    samples = scratch / "samples.safetensors"
    save_file({"input_ids": ids.contiguous()}, samples)

    all_good = True
    print(f"{'case':<24} {'':<4} {'bytes':<50} {'quantization_config':<20} logits")
    for index, (name, fields) in enumerate(cases().items()):
        if options.only and name not in options.only:
            continue
        verdicts, good = compare(options, name, fields, samples, ids, scratch / f"{index:02}-{name.replace(' ', '-')}")
        all_good &= good
        print(f"{name:<24} {'ok' if good else 'BAD':<4} {verdicts[0]:<50} {verdicts[1]:<20} {verdicts[2]}", flush=True)
    if not options.keep:
        shutil.rmtree(scratch)
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
