"""Times intel/auto-round on the first blocks of a model, for a side-by-side figure.

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install auto-round==0.15.1 transformers==5.17.0
    peers/bin/python peer_autoround.py --model DIR --text FILE [--samples 32 --seq-len 256 --batch-size 8 --iters 20
        --blocks 4 --scheme W4A16 --bits 4 --group-size 64 --dtype bfloat16 --compile --threads 2]

Prints one JSON line. seconds_per_block excludes the first block (warm-up, compilation); ms_per_iter = that / iters.
Samples are the first samples*seq_len tokens of FILE, cut in order.
"""
import argparse, json, os, resource, time
os.environ.setdefault("HF_HUB_OFFLINE", "1")
p = argparse.ArgumentParser()
p.add_argument("--model", required=True); p.add_argument("--text", required=True)
for name, default in (("samples", 32), ("seq-len", 256), ("batch-size", 8), ("iters", 20), ("blocks", 4), ("threads", 2)):
    p.add_argument("--" + name, type=int, default=default)
p.add_argument("--scheme", default="W4A16"); p.add_argument("--dtype", default="bfloat16"); p.add_argument("--compile", action="store_true")
p.add_argument("--bits", type=int); p.add_argument("--group-size", type=int); p.add_argument("--save")
a = p.parse_args()
import torch
torch.set_num_threads(a.threads)
from transformers import AutoModelForCausalLM, AutoTokenizer
from auto_round import AutoRound
model = AutoModelForCausalLM.from_pretrained(a.model, dtype=getattr(torch, a.dtype))
tok = AutoTokenizer.from_pretrained(a.model)
model.model.layers = model.model.layers[:a.blocks]
model.config.num_hidden_layers = len(model.model.layers)
if getattr(model.config, "layer_types", None):
    model.config.layer_types = model.config.layer_types[:a.blocks]
ids = tok(open(a.text).read()).input_ids[:a.samples * a.seq_len]
ids = torch.tensor(ids).view(a.samples, a.seq_len)
data = [{"input_ids": r[None], "attention_mask": torch.ones(1, a.seq_len, dtype=torch.long)} for r in ids]
stamps = []
import auto_round.algorithms.quantization.sign_round.quantizer as q
inner = q.SignRoundQuantizer.quantize_block
def timed(self, *args, **kw):
    t = time.perf_counter(); r = inner(self, *args, **kw); stamps.append(time.perf_counter() - t); return r
q.SignRoundQuantizer.quantize_block = timed
start = time.perf_counter()
changed = {key: value for key, value in (("bits", a.bits), ("group_size", a.group_size)) if value is not None}
ar = AutoRound(model, tok, scheme=a.scheme, iters=a.iters, nsamples=a.samples, seqlen=a.seq_len, batch_size=a.batch_size,
               dataset=data, enable_torch_compile=a.compile, device_map="cpu", **changed)
if a.save:
    ar.quantize_and_save(a.save, format="llm_compressor")
else:
    ar.quantize()
total = time.perf_counter() - start
warm = stamps[1:] or stamps
print(json.dumps({"peer": "auto-round", "compile": a.compile, "dtype": a.dtype, "samples": a.samples, "seq_len": a.seq_len,
                  "batch_size": a.batch_size, "iters": a.iters, "blocks": len(stamps), "total_seconds": round(total, 2),
                  "seconds_per_block": round(sum(warm) / len(warm), 3), "ms_per_iter": round(1000 * sum(warm) / len(warm) / max(1, a.iters), 1),
                  "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
