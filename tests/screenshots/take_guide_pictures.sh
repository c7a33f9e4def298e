#!/bin/sh
# take_guide_pictures.sh [BUILD]: the pictures of resources/guide, by the window built in BUILD (default: build), made small by pngquant or,
# where there is none, by Python's Pillow.
set -eu
build=${1:-build}
folder=$(dirname "$0")/../../resources/guide
QT_QPA_PLATFORM=offscreen "$build/bin/calibench-screenshots" --guide "$folder"
for picture in "$folder"/*.png; do
    if command -v pngquant >/dev/null; then
        pngquant --force --skip-if-larger --nofs --ext .png 256 "$picture"
    else
        python3 -c 'import sys; from PIL import Image; Image.open(sys.argv[1]).convert("RGB").quantize(256, kmeans=2, dither=0).save(sys.argv[1], optimize=True)' "$picture"
    fi
done
