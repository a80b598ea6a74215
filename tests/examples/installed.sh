#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# installed.sh BUILD EXAMPLES CC CXX: installs a build, then builds and runs the examples against the prefix, by CMake and by pkg-config.
set -euo pipefail
build=$1 examples=$2 cc=$3 cxx=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
cmake --install "$build" --prefix "$prefix" > "$scratch/log"

cmake -G Ninja -S "$examples" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
  -DCMAKE_CXX_COMPILER="$cxx" >> "$scratch/log"
cmake --build "$scratch/build" >> "$scratch/log" || { cat "$scratch/log"; exit 1; }
program=$(find "$scratch/build" -name first_kernel -type f)
"$program" "$prefix/share/xhal/kernels" sim | grep -q '^1000 elements right'

manifest=$scratch/build/share/xhal/drivers.d/minimal.json
"$prefix/bin/xhal-info" --driver "$manifest" | grep -q 'Minimal host device'

# A prefix with another library folder keeps its .pc file there.
pc=$(dirname "$(find "$prefix" -name xhal.pc)")
# shellcheck disable=SC2046
"$cc" -std=c11 "$examples/first_kernel.c" $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs xhal) -o "$scratch/by_pkg_config"
LD_LIBRARY_PATH=$(dirname "$pc") "$scratch/by_pkg_config" "$prefix/share/xhal/kernels" sim | grep -q '^1000 elements right'
echo "all examples work from an installed prefix"
