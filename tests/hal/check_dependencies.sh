#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_dependencies.sh LIBXHAL: it needs libc and its dynamic linker, and nothing else; it is never unloaded.
set -euo pipefail
export LC_ALL=C
others=$(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so\.6|ld-linux.*\.so\.[0-9]+)$' || true)
if [ -n "$others" ]; then
  echo "it also needs: $others"
  exit 1
fi
readelf -dW "$1" | grep -q 'FLAGS_1.*NODELETE' || { echo "it can be unloaded"; exit 1; }
readelf -dW "$1" | grep -q 'SONAME.*libxhal\.so\.0\]' || { echo "its soname is not libxhal.so.0"; exit 1; }
echo "depends on libc alone"
