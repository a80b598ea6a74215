#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the lanes of a file like ci/budget.toml one after another, each within its budget of minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/run-lanes.sh [--file FILE] [--only LANE[:SHARD],...] [--force] [--list | --summary]

  --file FILE   the lanes (default ci/budget.toml)
  --only ...    these lanes, or these shards of lanes, only
  --list        print the lanes: name, minutes, shards, needs, command
  --summary     of a file that keeps evidence: the union of all shards for this commit
  --force       run shards again whose evidence exists

A lane beyond its minutes is a warning; beyond three times its minutes, or a shard that leaves evidence beyond 90, it is killed and has failed. A lane whose `needs` failed does not
run and counts as failed. A lane's command sees LANE_SHARD (from 1) and LANE_SHARDS. Where the file names an evidence
folder, every finished shard leaves <folder>/<commit>/<lane>-<i>-of-<n>.json and is not run again for that commit; uncommitted changes
make a name of their own.

exit codes: 0 every lane passed (--summary: every shard of every lane has passed); 1 a lane failed or is missing; 2 wrong usage or file;
            130 interrupted
USAGE
}

file=ci/budget.toml only='' action=run force=no
while [ $# -gt 0 ]; do
  case $1 in
    --file | --only)
      [ $# -ge 2 ] || { echo "run-lanes: $1 wants a value" >&2; exit 2; }
      if [ "$1" = --file ]; then file=$2; else only=$2; fi
      shift
      ;;
    --list) action=list ;;
    --summary) action=summary ;;
    --force) force=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run-lanes: unknown argument '$1'; see scripts/run-lanes.sh --help" >&2; exit 2 ;;
  esac
  shift
done
[ -r "$file" ] || { echo "run-lanes: cannot read '$file'" >&2; exit 2; }

total='' evidence='' names=()
declare -A minutes shards needs commands outcome detail
parsed=$(awk -f scripts/read-lanes.awk "$file") || { echo "run-lanes: '$file' is refused, see above" >&2; exit 2; }
while IFS=$'\037' read -r kind a b c d e; do
  case $kind in
    set) case $a in total_minutes) total=$b ;; evidence) evidence=$b ;; esac ;;
    lane) names+=("$a") minutes[$a]=$b shards[$a]=$c needs[$a]=$d commands[$a]=$e ;;
  esac
done <<<"$parsed"
[ ${#names[@]} -gt 0 ] || { echo "run-lanes: '$file' has no lane" >&2; exit 2; }
if [ -n "$total" ]; then
  sum=$(for n in "${names[@]}"; do echo "${minutes[$n]} ${shards[$n]}"; done | awk '{ s += $1 * $2 } END { printf "%g", s }')
  if awk -v s="$sum" -v t="$total" 'BEGIN { exit !(s > t) }'; then
    echo "run-lanes: the lanes of '$file' sum up to $sum minutes, its total_minutes is $total" >&2
    exit 2
  fi
fi
if [ $action = list ]; then
  for n in "${names[@]}"; do
    printf '%s\t%s\t%s\t%s\t%s\n' "$n" "${minutes[$n]}" "${shards[$n]}" "${needs[$n]:--}" "${commands[$n]}"
  done
  exit 0
fi

# Selected shards, as " lane:shard " words.
selected=' '
if [ -z "$only" ]; then
  for n in "${names[@]}"; do for ((i = 1; i <= shards[$n]; i++)); do selected+="$n:$i "; done; done
else
  IFS=, read -ra wanted <<<"$only"
  for item in "${wanted[@]}"; do
    n=${item%%:*} i=''
    if [ "$n" != "$item" ]; then i=${item#*:}; fi
    if [ -z "${commands[$n]-}" ]; then
      echo "run-lanes: '$file' has no lane '$n'; it has: ${names[*]}" >&2
      exit 2
    fi
    if [ -z "$i" ]; then
      for ((i = 1; i <= shards[$n]; i++)); do selected+="$n:$i "; done
    elif [[ $i =~ ^[1-9][0-9]*$ ]] && [ "$i" -le "${shards[$n]}" ]; then
      selected+="$n:$i "
    else
      echo "run-lanes: lane '$n' has shards 1 to ${shards[$n]}, not '$i'" >&2
      exit 2
    fi
  done
fi

# What the evidence is about: the commit, or the commit and a hash of what differs from it.
tree_name() {
  local commit changes
  commit=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || commit=uncommitted
  changes=$({ git diff HEAD 2>/dev/null; git ls-files -z --others --exclude-standard 2>/dev/null | xargs -0r sha256sum; } | sha256sum)
  if [ -n "$(git status --porcelain 2>/dev/null)" ]; then commit+=-dirty-${changes:0:12}; fi
  echo "$commit"
}
folder=build/lanes
if [ -n "$evidence" ]; then
  tree=$(tree_name)
  folder=$evidence/$tree
elif [ $action = summary ]; then
  echo "run-lanes: '$file' names no evidence folder, so there is nothing to sum up" >&2
  exit 2
fi
if [ $action = run ]; then mkdir -p "$folder"; fi

clock() { awk -v s="$1" 'BEGIN { printf "%d:%02d", s / 60, s % 60 }'; }
elapsed_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }
base_of() { if [ -n "$evidence" ]; then echo "$folder/$1-$2-of-${shards[$1]}"; else echo "$folder/$1"; fi; }
status_of() { sed -n 's/^  "status": "\([a-z]*\)".*/\1/p' "$1" 2>/dev/null || true; }

# Evidence is written whole or not at all.
write_evidence() { # base lane shard status exit seconds limit started
  local escaped=${commands[$2]//\\/\\\\}
  escaped=${escaped//\"/\\\"}
  cat >"$1.json.part" <<JSON
{
  "schema": 1,
  "commit": "$tree",
  "lane": "$2",
  "shard": $3,
  "shards": ${shards[$2]},
  "status": "$4",
  "exit_code": $5,
  "seconds": $6,
  "budget_seconds": $7,
  "started": "$8",
  "host": "$(uname -sr) $(uname -m), $(nproc) processors",
  "command": "$escaped",
  "log": "$(basename "$1").log"
}
JSON
  mv "$1.json.part" "$1.json"
}

# The process group of the lane at work; nothing of it outlives the lane.
lane_pid='' tee_pid=''
end_lane() {
  if [ -n "$lane_pid" ]; then kill -KILL -- "-$lane_pid" 2>/dev/null || true; fi
  lane_pid=''
}
interrupted() {
  trap - INT TERM
  if [ -n "$lane_pid" ]; then kill -TERM "$lane_pid" 2>/dev/null || true; wait "$lane_pid" 2>/dev/null || true; fi
  end_lane
  echo
  echo "run-lanes: interrupted"
  exit 130
}
trap interrupted INT TERM

# Runs one shard; its output goes to the terminal and to a log. Sets shard_status (pass, fail or killed), shard_seconds and note.
run_shard() {
  local lane=$1 shard=$2 base started budget limit code=0 begun
  base=$(base_of "$lane" "$shard")
  budget=$(awk -v m="${minutes[$lane]}" 'BEGIN { print m * 60 }')
  limit=$(awk -v b="$budget" -v e="$evidence" 'BEGIN { l = b * 3; if (e != "" && l > 5400) l = 5400; print l }')
  started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  begun=$EPOCHREALTIME
  exec 9> >(exec tee "$base.log")
  tee_pid=$!
  # timeout heads the lane's process group, so it ends all of it.
  LANE_SHARD=$shard LANE_SHARDS=${shards[$lane]} timeout --kill-after=10 "$limit" bash -c "${commands[$lane]}" </dev/null >&9 2>&1 &
  lane_pid=$!
  wait "$lane_pid" || code=$?
  end_lane
  exec 9>&-
  # A process that left the lane's group may hold the log open; that must not stop the lanes after it.
  timeout 5 tail --pid="$tee_pid" -f /dev/null || true
  kill "$tee_pid" 2>/dev/null || true
  shard_seconds=$(elapsed_since "$begun")
  shard_status=pass
  # 124 may also be the lane's own exit code; only the clock tells.
  if at_least "$shard_seconds" "$limit"; then shard_status=killed; elif [ $code -ne 0 ]; then shard_status=fail; fi
  note=''
  case $shard_status in
    pass) if at_least "$shard_seconds" "$budget"; then note=' (warning: over budget)'; fi ;;
    fail) note=" (exit code $code)" ;;
    killed) note=" (killed at its limit of $(clock "$limit"))" ;;
  esac
  if [ -n "$evidence" ]; then
    if [ "$(tree_name)" != "$tree" ]; then
      shard_status=fail note=' (the tree changed while the shard ran: no evidence kept)'
    else
      write_evidence "$base" "$lane" "$shard" "$shard_status" "$code" "$shard_seconds" "$budget" "$started"
    fi
  fi
}

failed_logs=()
if [ $action = run ]; then
  position=0
  for n in "${names[@]}"; do
    for ((i = 1; i <= shards[$n]; i++)); do
      if [[ $selected != *" $n:$i "* ]]; then continue; fi
      position=$((position + 1))
      label=$n
      if [ "${shards[$n]}" -gt 1 ]; then label="$n $i/${shards[$n]}"; fi
      budget_clock=$(awk -v m="${minutes[$n]}" 'BEGIN { printf "%d:%02d", m, m * 60 % 60 }')
      base=$(base_of "$n" "$i")
      if [ -n "$evidence" ] && [ -f "$base.json" ] && [ $force = no ]; then
        echo "== $label: $(status_of "$base.json") before, kept ($base.json)"
        [ "$(status_of "$base.json")" = pass ] || outcome[$n]=fail
        continue
      fi
      need=${needs[$n]}
      if [ -n "$need" ] && [ -n "${outcome[$need]-}" ] && [ "${outcome[$need]}" != pass ]; then
        echo "== $label: not run, since it needs '$need'"
        outcome[$n]=fail detail[$n]="not run: needs '$need'"
        continue
      fi
      echo "== $label: lane $position of $(wc -w <<<"$selected"), budget $budget_clock: ${commands[$n]}"
      run_shard "$n" "$i"
      last_log=$base.log
      echo "== $label: $shard_status in $(clock "$shard_seconds") of $budget_clock$note"
      echo
      [ $shard_status = pass ] || failed_logs+=("$last_log")
      [ $shard_status = pass ] && [ "${outcome[$n]-pass}" = pass ] && outcome[$n]=pass || outcome[$n]=fail
      detail[$n]="$shard_status in $(clock "$shard_seconds") of $budget_clock$note"
    done
  done
fi

# The end of a failed shard's log, or of a ctest what its failed tests printed: a reader may have the last lines alone.
say_why() { # log
  awk '
    /^ *(Start|[0-9]+\/[0-9]+ Test) +#?[0-9]+:/ { inside = 0 }
    /Test +#[0-9]+: .*\*\*\*/ && !/\*\*\*(Skipped|Not Run)/ { inside = 1; left = 25; tests++ }
    inside && left-- > 0 { kept[++n] = $0 }
    { tail[NR % 15] = $0 }
    END {
      if (tests) { for (i = 1; i <= n && i <= 150; i++) print kept[i]; exit }
      for (i = NR > 15 ? NR - 14 : 1; i <= NR; i++) print tail[i % 15]
    }' "$1" | sed 's/^/  | /'
}

failed=0
if [ $action = run ]; then
  for log in ${failed_logs[@]+"${failed_logs[@]}"}; do
    echo "== failed: $log"
    say_why "$log"
    echo
  done
fi
echo "== summary${evidence:+ of $tree}"
for n in "${names[@]}"; do
  if [[ $selected != *" $n:"* ]]; then continue; fi
  if [ -z "$evidence" ]; then
    printf '%-12s %s\n' "$n" "${detail[$n]}"
    [ "${outcome[$n]}" = pass ] || failed=1
    continue
  fi
  passed=0 bad=''
  for ((i = 1; i <= shards[$n]; i++)); do
    if [[ $selected != *" $n:$i "* ]]; then continue; fi
    status=$(status_of "$(base_of "$n" "$i").json")
    if [ "$status" = pass ]; then passed=$((passed + 1)); else bad+=" $i:${status:-missing}"; fi
  done
  printf '%-12s %d of %d shards passed%s\n' "$n" "$passed" "${shards[$n]}" "${bad:+;$bad}"
  if [ -n "$bad" ]; then failed=1; fi
done
# What the last lane's ctest said of itself, for readers of the last lines.
if [ -n "${last_log-}" ]; then grep -E '^[0-9]+% tests passed|^Total Test time' "$last_log" | tail -n 2 || true; fi
if [ $failed = 1 ]; then echo "run-lanes: NOT PASSED"; else echo "run-lanes: passed"; fi
exit $failed
