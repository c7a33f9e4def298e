"""Runs Calibench and its peers on the same work in turn, several times, and prints medians and ratios.

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install -r tests/peers/requirements.txt
    python3 tests/bench/against_peers.py --model DIR --text FILE --peers peers/bin/python [--cli build/bin/calibench-cli]
        [--jobs rtn,mse,w8a8,autoround] [--repeats 3] [--samples 32 --seq-len 256 --iters 20] [--json]

Times are those of whole processes, from start to export; memory is the process's peak resident set. Nothing else should run on the machine:
both sides use all its cores. peer_oneshot.py and peer_autoround.py, beside this script, are the peers' side.
"""
import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
GROUP = """
      ignore: [lm_head]
      config_groups:
        group_0:
          targets: [Linear]
          weights: {num_bits: %(bits)d, type: int, symmetric: true, strategy: %(strategy)s%(group)s%(observer)s}%(inputs)s
"""


def recipe(modifier, strategy="group", bits=4, observer="", inputs="", extra=""):
    body = GROUP % {"bits": bits, "strategy": strategy, "group": ", group_size: 64" if strategy == "group" else "",
                    "observer": f", observer: {observer}" if observer else "", "inputs": inputs}
    return f"quant_stage:\n  quant_modifiers:\n    {modifier}:{extra}{body}"


STATIC_INPUTS = "\n          input_activations: {num_bits: 8, type: int, symmetric: true, strategy: tensor, dynamic: false, observer: minmax}"
RECIPES = {
    "rtn": recipe("QuantizationModifier"),
    "mse": recipe("QuantizationModifier", observer="memoryless_mse"),
    "w8a8": recipe("QuantizationModifier", "channel", 8, inputs=STATIC_INPUTS),
    "autoround": recipe("AutoRoundModifier"),
}
WITHOUT_SAMPLES = ("rtn", "mse")  # nothing passes through the model, so neither side is given a text


def measure(command):
    """Seconds and peak MiB of one process; its output is shown only when it fails."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{log.read().decode(errors='replace')[-4000:]}")
    return seconds, usage.ru_maxrss / 1024


def commands(job, a, recipe_file, folder):
    """One command for each side. The checkpoints go below `folder`."""
    ours = [a.cli, "run", "--model", a.model, "--recipe", recipe_file, "--output", os.path.join(folder, "ours"), "--threads", str(a.threads), "--quiet"]
    if job not in WITHOUT_SAMPLES:
        ours += ["--dataset", a.text, "--num-samples", str(a.samples), "--seq-len", str(a.seq_len)]
    sizes = ["--samples", str(a.samples), "--seq-len", str(a.seq_len), "--threads", str(a.threads)]
    if job == "autoround":
        ours += ["--iters", str(a.iters), "--batch-size", "8"]
        peer = [a.peers, os.path.join(HERE, "peer_autoround.py"), "--model", a.model, "--text", a.text, "--iters", str(a.iters), "--blocks", "100000",
                "--group-size", "64", "--save", os.path.join(folder, "peer")] + sizes
    else:
        peer = [a.peers, os.path.join(HERE, "peer_oneshot.py"), "--model", a.model, "--recipe", recipe_file, "--output", os.path.join(folder, "peer")] + sizes
        if job not in WITHOUT_SAMPLES:
            peer += ["--text", a.text]
    return ours, peer


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--peers", required=True, help="Python with the peers")
    p.add_argument("--cli", default=os.path.join(HERE, "../../build/bin/calibench-cli"))
    p.add_argument("--jobs", default=",".join(RECIPES))
    p.add_argument("--json", action="store_true")
    for name, default in (("repeats", 3), ("samples", 32), ("seq-len", 256), ("iters", 20), ("threads", os.cpu_count())):
        p.add_argument("--" + name, type=int, default=default)
    a = p.parse_args()
    results = []
    for job in a.jobs.split(","):
        if job not in RECIPES:
            sys.exit(f"{job} is no job. Choose from {', '.join(RECIPES)}.")
        runs = {"ours": [], "peer": []}
        for _ in range(a.repeats):
            folder = tempfile.mkdtemp(prefix="calibench-bench-")
            try:
                recipe_file = os.path.join(folder, "recipe.yaml")
                with open(recipe_file, "w") as file:
                    file.write(RECIPES[job])
                for side, command in zip(runs, commands(job, a, recipe_file, folder)):
                    runs[side].append(measure(command))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        median = {side: [statistics.median(run[i] for run in done) for i in (0, 1)] for side, done in runs.items()}
        result = {"job": job, "repeats": a.repeats, "seconds": median["ours"][0], "peer_seconds": median["peer"][0],
                  "times_faster": median["peer"][0] / median["ours"][0], "mib": median["ours"][1], "peer_mib": median["peer"][1],
                  "share_of_memory": median["ours"][1] / median["peer"][1]}
        results.append(result)
        if not a.json:
            print(f"{job:10} {result['seconds']:8.2f} s  peer {result['peer_seconds']:8.2f} s  {result['times_faster']:5.1f} times faster   "
                  f"{result['mib']:6.0f} MiB  peer {result['peer_mib']:6.0f} MiB  {100 * result['share_of_memory']:3.0f} %", flush=True)
    if a.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
