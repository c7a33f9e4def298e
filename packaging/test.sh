#!/usr/bin/env bash
# Builds everything and runs all tests through ctest; Qt draws offscreen.
#
#   packaging/test.sh [--yes] [ARGUMENTS of ctest]
#
# --yes  install missing packages without asking

assume_yes=no
arguments=()
for argument in "$@"; do
    case $argument in
        --yes|-y) assume_yes=yes ;;
        --help|-h) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) arguments+=("$argument") ;;
    esac
done

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
install_packages
configure
build_targets all
cd "$build"
QT_QPA_PLATFORM=offscreen ctest --output-on-failure --no-tests=error "${arguments[@]}"
