"""llm-compressor's observer over the same weights as `calibench-bench observers`, timed and compared with the scales that
program saved. Run by hand where llmcompressor is installed:
    python peer_observers.py --model DIR [--observer mse] [--scales PREFIX.mse.safetensors] [--threads N]
"""

import argparse
import time
from pathlib import Path

import torch
from compressed_tensors.quantization import QuantizationArgs
from llmcompressor.observers import Observer
from safetensors.torch import load_file

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--observer", default="mse")
parser.add_argument("--scales")
parser.add_argument("--bits", type=int, default=4)
parser.add_argument("--group-size", type=int, default=64)
parser.add_argument("--threads", type=int)
options = parser.parse_args()
if options.threads:
    torch.set_num_threads(options.threads)

weights = {}
for shard in sorted(Path(options.model).glob("*.safetensors")):
    weights.update({n: t for n, t in load_file(shard).items() if t.dim() == 2 and t.shape[1] % options.group_size == 0})
values = sum(t.numel() for t in weights.values())

scales = {}
start, cpu_start = time.perf_counter(), time.process_time()
for name, weight in weights.items():
    args = QuantizationArgs(num_bits=options.bits, group_size=options.group_size)
    observer = Observer.load_from_registry(options.observer, base_name="weight", args=args)
    scales[name] = observer(weight).get_qparams()["scale"]
seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
print(f"{len(weights)} weights, {values / 1e6:.1f} M values, {torch.get_num_threads()} threads")
print(f"{options.observer}: {seconds:.3f} s  {seconds / values * 1e9:.2f} ns a value; {cpu_seconds:.3f} s of CPU")

if options.scales:
    ours = load_file(options.scales)
    differing = sum((ours[n] != s).sum().item() for n, s in scales.items())
    groups = sum(s.numel() for s in scales.values())
    worst = max(((ours[n].float() / s.float()) - 1).abs().max().item() for n, s in scales.items())
    print(f"scales that differ: {differing} of {groups}, by {worst:.2%} at most")
