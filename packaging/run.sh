#!/usr/bin/env bash
# Opens the workbench on the bundled demo, building it first where needed.
#
#   packaging/run.sh [--yes] [--headless] [ARGUMENTS of calibench]
#
# --yes       install missing packages without asking
# --headless  no window: calibrate the demo on the command line and print perplexity before and after
#             (also what happens where there is no display)

assume_yes=no
headless=no
arguments=()
for argument in "$@"; do
    case $argument in
        --yes|-y) assume_yes=yes ;;
        --headless) headless=yes ;;
        --help|-h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) arguments+=("$argument") ;;
    esac
done

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
install_packages
configure
build_targets calibench calibench-cli

if [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} && $headless == no && ${QT_QPA_PLATFORM:-} == "" ]]; then
    say "No display: running the demo on the command line instead of opening the window."
    headless=yes
fi
if [[ $headless == no ]]; then
    ((${#arguments[@]})) || arguments=(--demo)
    exec "$build/bin/calibench" "${arguments[@]}"
fi

cli=$build/bin/calibench-cli
model=$root/resources/demo/tiny-llama-shakespeare
text=$root/resources/demo/shakespeare.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The model was trained on the first 90 % of the text; what follows is fair to measure on.
tail -c 111000 "$text" >"$work/held-out.txt"

perplexity() { "$cli" eval --model "$1" --text "$work/held-out.txt" --seq-len 128 --json | sed -n 's/.*"perplexity": *\([0-9.]*\).*/\1/p'; }

before=$(perplexity "$model")
"$cli" run --model "$model" --dataset "$text" --recipe "$root/resources/recipes/autoround_w4a16_g64.yaml" \
    --num-samples 64 --seq-len 128 --output "$work/quantized"
after=$(perplexity "$work/quantized")
LC_ALL=C printf 'perplexity on the held-out text: %.2f before, %.2f after\n' "$before" "$after"
