#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: exports_test.sh LIBRARY [SYMBOL...]
# LIBRARY needs nothing but libc and its loader, binds at load, and (when symbols are given) exports exactly these.
set -euo pipefail
library=$1
shift
failed=0

needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for name in $needed; do
  case $name in
    libc.so.6 | ld-linux-*.so.* | libdl.so.2 | libpthread.so.0 | libm.so.6) ;;
    *) echo "FAILED: $library needs $name"; failed=1 ;;
  esac
done
if ! readelf -d "$library" | grep -qE 'BIND_NOW|FLAGS.*NOW'; then echo "FAILED: $library does not bind at load"; failed=1; fi
if readelf -d "$library" | grep -q TEXTREL; then echo "FAILED: $library has text relocations"; failed=1; fi
if readelf -lW "$library" | grep 'GNU_STACK' | grep -q 'RWE'; then echo "FAILED: $library wants an executable stack"; failed=1; fi

exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
if [ $# -gt 0 ]; then
  wanted=$(printf '%s\n' "$@" | sort)
  if [ "$exported" != "$wanted" ]; then
    echo "FAILED: $library exports other symbols than wanted (<):"
    diff <(echo "$wanted") <(echo "$exported") || true
    failed=1
  fi
else
  foreign=$(grep -v '^xhal_' <<<"$exported" || true)
  if [ -n "$foreign" ]; then echo "FAILED: $library exports names that are not xhal_*: $foreign"; failed=1; fi
fi
echo "needs:" $needed
echo "exports $(grep -c . <<<"$exported") symbols"
exit $failed
