#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Counts what a call through libxhal adds to the same call through the driver's table: count_calls.sh PROGRAM MANIFEST BUDGET [LIBXHAL]
# LIBXHAL is the library to look into, the one that PROGRAM loads unless given.
#
# Each way is run N and 2N times under callgrind; start and end cancel out, so the difference is exact. It also names every function
# whose share grows with N: only the loop, the exported call and the driver's function may. An allocation, a lock or a system call that
# goes through a function would be one more; what is inlined is looked for in the disassembly.
set -euo pipefail

program=$1 manifest=$2 budget=$3
# A path may hold blanks: what ldd prints is cut at its arrow and at the address behind.
library=${4:-$(ldd "$program" | sed -n 's/^.*libxhal\.so[^ ]* => \(.*\) (0x[0-9a-f]*)$/\1/p')}
[ -f "$library" ] || { echo "count_calls: '$library' is no library; name it as the fourth argument" >&2; exit 1; }
n=1000
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Lines "function cost" of one run; the cost of calls belongs to the called functions.
profile() { # entry way count
  valgrind --tool=callgrind --compress-strings=no --compress-pos=no --callgrind-out-file="$folder/out" \
    "$program" "$manifest" "$1" "$2" "$3" > "$folder/log" 2>&1 || { cat "$folder/log" >&2; return 1; }
  awk '/^fn=/ { name = substr($0, 4); next }
       /^calls=/ { skip = 1; next }
       /^[0-9+*-]/ { if (skip) skip = 0; else cost[name] += $NF }
       END { for (name in cost) printf "%s\t%d\n", name, cost[name] }' "$folder/out" | sort > "$4"
}

# Lines "function instructions" that n further calls cost, for functions that grow at all.
growth() { # entry way
  profile "$1" "$2" "$n" "$folder/once"
  profile "$1" "$2" "$((2 * n))" "$folder/twice"
  join -t "$(printf '\t')" -a 2 -e 0 -o 0,1.2,2.2 "$folder/once" "$folder/twice" |
    awk -F '\t' -v n="$n" '$3 - $2 >= n { printf "%s\t%.3f\n", $1, ($3 - $2) / n }'
}

status=0
printf '%-26s %10s %10s %8s %8s\n' call libxhal direct added budget
while read -r entry allowed; do
  growth "$entry" hal > "$folder/hal"
  growth "$entry" direct > "$folder/direct"
  through_hal=$(awk -F '\t' '{ sum += $2 } END { printf "%.0f", sum }' "$folder/hal")
  directly=$(awk -F '\t' '{ sum += $2 } END { printf "%.0f", sum }' "$folder/direct")
  added=$((through_hal - directly))
  printf '%-26s %10d %10d %8d %8d\n' "$entry" "$through_hal" "$directly" "$added" "$allowed"
  if [ "$directly" -lt 2 ] || [ "$added" -lt 1 ]; then
    echo "  the count is not plausible: was anything called?" >&2
    status=1
  fi
  if [ "$added" -gt "$allowed" ]; then
    echo "  $entry: $added instructions are more than its budget of $allowed" >&2
    status=1
  fi
  # Names may carry a file or a clone suffix; what counts is which functions take part.
  strangers=$(cut -f1 "$folder/hal" | sed 's/^.*://' | grep -vE "^(hal_$entry|xhal_$entry|$entry)(\.|'|$)" || true)
  if [ -n "$strangers" ]; then
    echo "  $entry: other functions run with every call: $strangers" >&2
    status=1
  fi
done < <(awk -F '=' '/^[a-z_]+ *=/ { gsub(/ /, ""); print $1, $2 }' "$budget")

# No locked instruction and no system call on the way, before the first jump out of it.
objdump -d --no-show-raw-insn "$library" > "$folder/disassembly"
for entry in $(awk -F '=' '/^[a-z_]+ *=/ { gsub(/ /, ""); print $1 }' "$budget"); do
  awk -v f="<xhal_$entry>:" 'index($0, f) { on = 1; next } on && /^$/ { exit } on' "$folder/disassembly" > "$folder/asm"
  # "xchg %ax,%ax" is how the compiler fills up a line: it does nothing.
  if grep -vE 'xchg +%ax,%ax' "$folder/asm" | grep -E '\block\b|xchg|syscall'; then
    echo "  xhal_$entry holds the instructions above" >&2
    status=1
  fi
  if [ ! -s "$folder/asm" ]; then
    echo "  xhal_$entry was not found in $library" >&2
    status=1
  fi
done
[ "$status" -eq 0 ] && echo "all within budget; no other function, lock or system call takes part"
exit "$status"
