#!/bin/sh
# take_screenshots.sh FOLDER [BUILD]: every view, light and dark, at 1x and 2x, by the window built in BUILD (default: build).
set -eu
folder=${1:?usage: take_screenshots.sh FOLDER [BUILD]}
build=${2:-build}
for scale in 1 2; do
    QT_QPA_PLATFORM=offscreen QT_SCALE_FACTOR=$scale "$build/bin/calibench-screenshots" "$folder"
done
