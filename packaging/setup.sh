# Shared by run.sh and test.sh: installs what is missing, finds or installs LibTorch, configures and builds.
# Sourced, not run. Every step says what it does; a step that fails says what to do next.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${CALIBENCH_BUILD_DIR:-$root/build}
torch_version=2.13.0
torch_cpu_index=https://download.pytorch.org/whl/cpu

packages=(g++ cmake ninja-build python3 python3-venv
          qt6-base-dev libqt6svg6-dev libqcustomplot-dev libgl1-mesa-dev
          libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libpcre2-dev libicu-dev)

say()  { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'calibench: %s\n' "$*" >&2; exit 1; }

# What Debian and Ubuntu call the build's needs; asks once, or not at all with --yes.
install_packages() {
    command -v dpkg-query >/dev/null || {
        say "No dpkg here: install these yourself if the configuration below misses one: ${packages[*]}"
        return
    }
    # A package may come under another name that provides the one asked for (qt6-svg-dev does, for libqt6svg6-dev).
    local missing=() package installed
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' | sed -n 's/^installed //p' | tr -s ', \n' ' ') "
    for package in "${packages[@]}"; do
        # A python3 from elsewhere that can make virtual environments serves as well as Debian's.
        if [[ $package == python3* ]] && python3 -c 'import venv, ensurepip' 2>/dev/null; then continue; fi
        [[ $installed == *" $package "* ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    say "Missing packages: ${missing[*]}"
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || fail "installing them needs root: run  apt-get install ${missing[*]}  as root, then start this again."
        as_root=(sudo)
    fi
    if [[ $assume_yes == no ]]; then
        [[ -t 0 ]] || fail "start this with --yes to install them, or install them yourself: apt-get install ${missing[*]}"
        read -r -p "Install them with apt-get now? [Y/n] " answer
        [[ ${answer:-y} == [Yy]* ]] || fail "nothing was installed. Install the packages above, then start this again."
    fi
    "${as_root[@]}" apt-get update -q || fail "apt-get update failed: check the network and /etc/apt/sources.list, then start this again."
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" ||
        fail "apt-get could not install the packages above: see its message, then start this again."
}

has_nvidia_gpu() { compgen -G '/dev/nvidia[0-9]*' >/dev/null; }

# Prints the prefix of the torch a Python offers, when it is at least 2.9.
torch_of_python() {
    "$1" - 2>/dev/null <<'PY'
import os, torch
if tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2]) >= (2, 9):
    print(os.path.dirname(torch.__file__))
PY
}

# Sets torch_dir: what CALIBENCH_TORCH_DIR or Torch_DIR name, a Python's torch, or one installed under the build folder.
find_torch() {
    torch_dir=${CALIBENCH_TORCH_DIR:-${Torch_DIR:-}}
    if [[ -n $torch_dir ]]; then
        say "LibTorch: $torch_dir (from the environment)"
        return
    fi
    local python
    for python in "$build/venv/bin/python" python3; do
        command -v "$python" >/dev/null || continue
        torch_dir=$(torch_of_python "$python") || continue
        [[ -n $torch_dir ]] || continue
        say "LibTorch: $torch_dir (from $python)"
        return
    done
    install_torch
}

install_torch() {
    local venv=$build/venv index=() report
    say "Installing torch $torch_version into $venv (about 200 MB for the CPU build)"
    python3 -m venv "$venv" || fail "python3 could not make a virtual environment in $venv: install python3-venv, then start this again."
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check)
    report=$(mktemp)
    if ! has_nvidia_gpu && "${pip[@]}" install --quiet --dry-run --report "$report" "torch==$torch_version" 2>/dev/null &&
        grep -qE '"name": "(nvidia-|cuda-)' "$report"; then
        say "pip would take the CUDA build, ten times as large; there is no NVIDIA GPU here, so the CPU build it is."
        index=(--index-url "$torch_cpu_index")
    fi
    rm -f "$report"
    "${pip[@]}" install --quiet "${index[@]}" "torch==$torch_version" ||
        fail "pip could not install torch $torch_version: see its message; or install LibTorch >= 2.9 yourself and set CALIBENCH_TORCH_DIR to it."
    torch_dir=$(torch_of_python "$venv/bin/python") || true
    [[ -n $torch_dir ]] || fail "torch was installed in $venv but does not import: remove $venv and start this again."
}

# Configures once; later starts only ask Ninja, so that nothing is rebuilt and LibTorch is not looked for again.
configure() {
    local cached
    cached=$(sed -n 's/^CALIBENCH_TORCH_DIR:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null || true)
    if [[ -f $build/build.ninja && -n $cached && -d $cached ]]; then return; fi
    find_torch
    say "Configuring in $build"
    mkdir -p "$build"
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCALIBENCH_TORCH_DIR="$torch_dir" >"$build/configure.log" 2>&1 || {
        tail -n 30 "$build/configure.log" >&2
        fail "CMake could not configure; the whole log is $build/configure.log."
    }
}

# build_targets TARGET...
build_targets() {
    cmake --build "$build" --target "$@" || fail "the build failed: see the first error above. Removing $build and starting again rules out an old configuration."
}
