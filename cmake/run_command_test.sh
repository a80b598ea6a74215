#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command and checks its exit code and output. Made for xhal_add_command_test; see cmake/XhalTest.cmake.
set -euo pipefail

want_exit=0
checks=()
settings=()
while [ $# -gt 0 ]; do
  case $1 in
    --exit) want_exit=$2; shift 2 ;;
    --stdout | --stderr | --not-stdout | --not-stderr) checks+=("$1" "$2"); shift 2 ;;
    --env) settings+=("$2"); shift 2 ;;
    --) shift; break ;;
    *) echo "run_command_test: unknown option '$1'" >&2; exit 64 ;;
  esac
done
[ $# -gt 0 ] || { echo "run_command_test: no command given after --" >&2; exit 64; }

for variable in $(compgen -e XHAL_ || true); do unset "$variable"; done
for setting in ${settings[@]+"${settings[@]}"}; do export "${setting?}"; done

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
got_exit=0
"$@" >"$out/stdout" 2>"$out/stderr" </dev/null || got_exit=$?

failed=0
fail() { failed=1; printf 'FAILED: %s\n' "$1"; }
[ "$got_exit" = "$want_exit" ] || fail "exit code $got_exit, expected $want_exit"
i=0
while [ $i -lt ${#checks[@]} ]; do
  flag=${checks[i]} regex=${checks[i + 1]} i=$((i + 2))
  stream=${flag##*-}
  if grep -Eq -e "$regex" "$out/$stream"; then
    case $flag in --not-*) fail "a line of $stream matches: $regex" ;; esac
  else
    case $flag in --not-*) ;; *) fail "no line of $stream matches: $regex" ;; esac
  fi
done

if [ $failed = 1 ]; then printf 'command:'; printf ' %q' "$@"; printf '\n'; fi
for stream in stdout stderr; do
  if [ -s "$out/$stream" ]; then printf -- '--- %s\n' "$stream"; cat "$out/$stream"; fi
done
exit $failed
