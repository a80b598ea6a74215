#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_exports.sh LIBXHAL NAMES_PROGRAM INCLUDE_DIR: the library exports the names of the list, all of them under the version of the
# contract, and the public headers declare the same ones.
set -euo pipefail
export LC_ALL=C
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$2" | sort >"$out/expected"
nm -D --defined-only --with-symbol-versions "$1" | awk '{print $NF}' >"$out/symbols"
sed 's/@.*//' "$out/symbols" | grep -v '^XHAL_0\.1$' | sort >"$out/exported"
diff "$out/expected" "$out/exported" || { echo "the library (>) does not export what the list has (<)"; exit 1; }

if grep '^xhal_' "$out/symbols" | grep -qv '@@XHAL_0\.1$'; then
  echo "an exported name lacks the version XHAL_0.1"
  exit 1
fi

# driver.h declares what drivers and layers export.
cat "$3"/*.h | tr '\n' ' ' | grep -oE 'XHAL_EXPORT [a-z_0-9]+( char\*|) ?xhal_[a-z_0-9]+\(|XHAL_EXPORT const char\* xhal_[a-z_0-9]+\(' |
  grep -oE 'xhal_[a-z_0-9]+\($' | tr -d '(' | grep -v '_negotiate$' | sort >"$out/declared"
diff "$out/expected" "$out/declared" || { echo "the headers (>) do not declare what the list has (<)"; exit 1; }
echo "exports match: $(wc -l <"$out/exported") names"
