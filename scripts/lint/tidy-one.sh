#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/lint/tidy-one.sh CACHE 'FILE<unit separator>COMPILE COMMAND': one unit of scripts/lint/tidy.sh.
set -euo pipefail
cache=$1
IFS=$'\037' read -r file command <<<"$2"

# The same command, preprocessing instead: comments kept, since NOLINT is one.
preprocess=$(sed -E 's/^([^ ]*ccache) //; s/ -o [^ ]+/ /; s/ -c / -E -C /' <<<"$command")
hash=$({ clang-tidy-15 --version; clang-tidy-15 --dump-config "$file"; echo "$preprocess" "$TIDY_CHECKS"; (cd build/dev && eval "$preprocess"); } 2>/dev/null | sha256sum | cut -d ' ' -f 1) || hash=''
if [ -n "$hash" ] && [ -e "$cache/$hash" ]; then exit 0; fi

if output=$(clang-tidy-15 --quiet -p build/dev ${TIDY_CHECKS:+--checks="$TIDY_CHECKS"} --extra-arg=-Wno-unknown-warning-option "$file" 2>&1); then
  if [ -n "$hash" ]; then : >"$cache/$hash"; fi
  exit 0
fi
# Counts of suppressed warnings in system headers are noise.
grep -vE '^[0-9]+ warnings? (generated|treated)|^(Suppressed|Use -header-filter)' <<<"$output" || true
exit 1
