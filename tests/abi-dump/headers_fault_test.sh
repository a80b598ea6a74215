#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: headers_fault_test.sh COMPILER: headers_test.sh must find each planted fault.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/xhal"
good='#include <stdint.h>
typedef struct good { uint32_t a; uint32_t b; } good_t;'

check() { # check EXPECTED_TEXT or "clean", from HEADER_TEXT on stdin
  local want=$1 output
  { echo '#ifndef H_'; echo '#define H_'; cat; echo '#endif'; } >"$scratch/xhal/a.h"
  if [ "${3-}" = unguarded ]; then sed -i '/H_$/d; /#endif/d' "$scratch/xhal/a.h"; fi
  if output=$("$here/headers_test.sh" "$compiler" "$scratch" 2>&1); then result=0; else result=1; fi
  if [ "$result" != "$2" ] || ! grep -q "$want" <<<"$output"; then
    printf 'wanted "%s" and code %s, got code %s and:\n%s\n' "$want" "$2" "$result" "$output"
    exit 1
  fi
}
compiler=$1
check 'headers clean' 0 <<<"$good"
check 'redefinition\|conflicting' 1 unguarded <<<"$good"
check 'pad' 1 <<<"$good"$'\ntypedef struct padded { char c; uint64_t n; } padded_t;'
check 'includes more than.*stdlib.h' 1 <<<"$good"$'\n#include <stdlib.h>'
check 'as c99' 1 <<<"$good"$'\ntypedef union u { struct { int a; }; } u_t;'
check 'as c++11' 1 <<<"$good"$'\ntypedef struct named_badly { int class; } named_badly_t;'
check 'as c99' 1 <<<'uint32_t uses_what_it_does_not_include(void);'
echo 'all planted faults found'
