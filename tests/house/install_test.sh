#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: install_test.sh BUILD CXX CC CASE: installs a build tree into a scratch prefix and uses it as a stranger would.
# shellcheck source=tests/house/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=$1 cxx=$2 cc=$3
prefix=$scratch/prefix
consumer=$source_root/tests/house/consumer
run 0 cmake --install "$build" --prefix "$prefix"

configure() { run "$1" cmake -G Ninja -S "$consumer" -B "$scratch/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Werror" "${@:2}"; }
build_consumer() { configure 0; run 0 cmake --build "$scratch/consumer" --parallel 2; }

# What is installed, what is not.
case_contents() {
  for file in include/xhal/xhal.h include/xhal/entry_points.def lib/libxhal.so.0 lib/libxhal.so lib/pkgconfig/xhal.pc \
    lib/cmake/xhal/xhalConfig.cmake lib/xhal/libxhal_driver_sim.so share/xhal/drivers.d/sim.json share/doc/xhal/LICENSE; do
    [ -e "$prefix/$file" ] || fail "not installed: $file"
  done
  run 1 grep -rlI -e "$source_root" -e "$build" "$prefix"
  [ -z "$(find "$prefix" -name '*gtest*' -o -name '*gmock*')" ] || fail "test libraries were installed"
}

case_pkg_config() {
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  # shellcheck disable=SC2046
  run 0 "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror "$consumer/app.c" $(pkg-config --cflags --libs xhal) -o "$scratch/app"
  run 0 env LD_LIBRARY_PATH="$prefix/lib" "$scratch/app"
  says '^sim: selected'
  says '^XHAL_SUCCESS, [1-9][0-9]* devices$'
  run 0 pkg-config --modversion xhal
  says '^0\.1\.0$'
}

# The driver that the stranger's project makes is found through its own build folder and tells why it has no device.
case_driver() {
  build_consumer
  run 0 "$source_root/tests/house/exports_test.sh" "$scratch/consumer/lib/xhal/libxhal_driver_absent.so" xhal_driver_negotiate
  run 0 env XHAL_DRIVER_PATH="$scratch/consumer/share/xhal/drivers.d" "$scratch/consumer/app"
  says '^absent: refused: .*no absent hardware in this machine'
  says '^sim: selected'
  # Installed beside the others it is found without any variable.
  run 0 cmake --install "$scratch/consumer" --prefix "$prefix"
  run 0 "$scratch/consumer/app"
  says '^absent: refused: .*no absent hardware in this machine'
}

# The whole tree may be moved: nothing in it knows where it was installed.
case_moved() {
  mv "$prefix" "$scratch/elsewhere"
  prefix=$scratch/elsewhere
  build_consumer
  run 0 "$scratch/consumer/app"
  says '^XHAL_SUCCESS, [1-9][0-9]* devices$'
  if [ -x "$prefix/bin/xhal-info" ]; then
    run 0 "$prefix/bin/xhal-info" --json
    says 'sim'
  fi
  PKG_CONFIG_PATH=$prefix/lib/pkgconfig run 0 pkg-config --cflags xhal
  says "$(basename "$prefix")"
}

# 0.x: another minor version is another contract.
case_other_minor_is_refused() {
  sed 's/find_package(xhal 0.1 /find_package(xhal 0.2 /' "$consumer/CMakeLists.txt" >"$scratch/CMakeLists.txt"
  cp "$consumer"/*.c "$consumer"/*.cpp "$consumer"/*.in "$scratch/"
  consumer=$scratch
  configure 1
  says 'compatible with requested version "0.2"|requested version "0.2"'
}

run_case "$4"
