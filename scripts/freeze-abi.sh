#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Freezes the public headers and the list of calls of the current revision for tests/abi. See tests/abi/README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'USAGE'
usage: scripts/freeze-abi.sh [--leave-out FEATURE,...] [--into DIRECTORY] [--from INCLUDE_DIRECTORY]

Copies include/xhal to tests/abi/frozen/<major>.<minor>-r<revision>/include/xhal, as base.h numbers it, with checksums that a test
compares: a frozen copy never changes.

  --leave-out   features whose calls are dropped, from the end of the list: makes a list that never was, named <major>.<minor>-short,
                for tests that need one before the list has grown for the first time
  --into        folder of the frozen copies, tests/abi/frozen unless given
  --from        headers to freeze, include unless given

exit codes: 0 frozen, or frozen before and the same; 1 frozen before and different; 2 wrong usage
USAGE
}
fail() { echo "freeze-abi: $2" >&2; exit "$1"; }

leave_out='' into=$here/../tests/abi/frozen from=$here/../include
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --leave-out | --into | --from)
      [ $# -ge 2 ] || fail 2 "$1 needs a value; see scripts/freeze-abi.sh --help"
      case $1 in --leave-out) leave_out=$2 ;; --into) into=$2 ;; --from) from=$2 ;; esac
      shift 2 ;;
    *) fail 2 "unknown argument '$1'; see scripts/freeze-abi.sh --help" ;;
  esac
done
[ -f "$from/xhal/base.h" ] || fail 2 "no xhal/base.h in '$from'; name the folder that is given to -I"

number() { sed -n "s/^#define XHAL_ABI_$1 \([0-9][0-9]*\)$/\1/p" "$from/xhal/base.h"; }
name=$(number MAJOR).$(number MINOR)-r$(number REVISION)
[[ $name =~ ^[0-9]+\.[0-9]+-r[0-9]+$ ]] || fail 2 "base.h does not define XHAL_ABI_MAJOR, _MINOR and _REVISION as plain numbers"

if [ -n "$leave_out" ]; then name=${name%-r*}-short; fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/include/xhal"
cp "$from"/xhal/*.h "$from"/xhal/*.def "$copy/include/xhal"
cd "$copy/include/xhal"

if [ -n "$leave_out" ]; then
  pattern="^XHAL_(ENTRY|FEATURE)\\((${leave_out//,/|}),"
  for feature in ${leave_out//,/ }; do
    grep -q "^XHAL_FEATURE($feature," features.def || fail 2 "features.def has no feature '$feature'"
  done
  # Names of the calls, then: no entry that stays may stand behind one that goes, or slots would move.
  calls=$(sed -nE "/$pattern/s/^XHAL_ENTRY\\([A-Z_]+, [0-9]+, ([a-z_]+),.*/\\1/p" entry_points.def)
  awk -v gone="$pattern" '
    /^XHAL_ENTRY\(/ { if ($0 ~ gone) went = 1; else if (went) { print $0; exit 1 } }' entry_points.def >"$copy/behind" ||
    fail 2 "only the end of the list can be left out; this call stands behind: $(cat "$copy/behind")"
  # A macro call ends where its parentheses close.
  for list in entry_points.def features.def; do
    awk -v gone="$pattern" '
      depth == 0 && $0 ~ gone { dropping = 1 }
      { line = $0; opened = gsub(/\(/, "(", line); closed = gsub(/\)/, ")", line) }
      dropping { depth += opened - closed; if (depth == 0) dropping = 0; next }
      { print }' "$list" >"$copy/list"
    mv "$copy/list" "$list"
  done
  for header in *.h; do
    awk -v calls="$calls" '
      BEGIN { count = split(calls, name, "\n") }
      !dropping && /^XHAL_EXPORT / { for (i = 1; i <= count; ++i) if (index($0, " xhal_" name[i] "(")) dropping = 1 }
      dropping { if (/;/) dropping = 0; next }
      { print }' "$header" >"$copy/header"
    mv "$copy/header" "$header"
  done
fi

cd "$copy/include/xhal"
sha256sum -- * >"$copy/SHA256SUMS"
rm -f "$copy/behind"
if [ -d "$into/$name" ]; then
  if diff -r "$copy" "$into/$name" >/dev/null; then
    echo "freeze-abi: $name is frozen already, and the same"
    exit 0
  fi
  fail 1 "$into/$name is frozen already and differs; raise XHAL_ABI_REVISION in base.h before the list grows again"
fi
mkdir -p "$into"
cp -r "$copy" "$into/$name"
chmod -R u=rwX,go=rX "$into/$name"
echo "freeze-abi: $into/$name"
