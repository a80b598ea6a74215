#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build and test xhal. Does nothing, and asks no network, when all is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/packages.txt
all_groups=$(awk '!/^#/ && NF { if (!seen[$1]++) print $1 }' "$list")

usage() {
  cat <<USAGE
usage: scripts/setup.sh [--print | --check] [--quiet] [GROUP...]

Installs the missing Debian packages of the groups named (scripts/packages.txt lists them).
Groups: $(echo $all_groups). Without a group: all but nightly, which is what 'make test' needs.

  --print   list the packages of the groups and whether each is there; change nothing
  --check   say what is missing; change nothing
  --quiet   say nothing when nothing is missing

exit codes: 0 all is there (now), but perhaps a browser; 1 apt failed; 2 wrong usage; 3 --check: something is missing;
            4 something is missing and this is not root: the line to run is printed;
            5 not a Debian or Ubuntu system: what is needed is printed
USAGE
}

mode=install quiet=no groups=()
while [ $# -gt 0 ]; do
  case $1 in
    --print) mode=print ;;
    --check) mode=check ;;
    --quiet) quiet=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "setup: unknown option '$1'; see scripts/setup.sh --help" >&2; exit 2 ;;
    *)
      if ! grep -qx -- "$1" <<<"$all_groups"; then
        echo "setup: unknown group '$1'; choose among: $(echo $all_groups)" >&2
        exit 2
      fi
      groups+=("$1")
      ;;
  esac
  shift
done
if [ ${#groups[@]} -eq 0 ]; then
  mapfile -t groups < <(grep -vx nightly <<<"$all_groups")
fi

# Lines "group package what for" of the chosen groups, in the order of the file.
chosen=$(awk -v groups=" ${groups[*]} " '!/^#/ && NF && index(groups, " " $1 " ")' "$list")

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  {
    echo "setup: this system has no apt; install the following with its own package manager (names are Debian's):"
    awk '{ what = $0; sub(/^[^ ]+ +[^ ]+ +/, "", what); printf "  %-20s %s\n", $2, what }' <<<"$chosen"
    echo "setup: then run make with SETUP=skip"
  } >&2
  exit 5
fi

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=() needed=() wished=()
while read -r group package _; do
  state=present
  if ! installed "$package"; then
    state=missing
    missing+=("$package")
    # A browser is large, and the tests that want it say so where they are left out.
    if [ "$group" = browser ]; then wished+=("$package"); else needed+=("$package"); fi
  fi
  if [ $mode = print ]; then printf '%-10s %-22s %s\n' "$group" "$package" "$state"; fi
done <<<"$chosen"

apt_line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]-}"
if [ $mode = print ]; then
  if [ ${#missing[@]} -gt 0 ]; then echo "to install: $apt_line"; fi
  exit 0
fi
if [ ${#missing[@]} -eq 0 ]; then
  if [ $quiet = no ]; then echo "setup: all packages of ${groups[*]} are there"; fi
  exit 0
fi
if [ $mode = check ]; then
  echo "setup: missing: ${missing[*]}"
  exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: ${#missing[@]} packages are missing and this is not root; run once:" >&2
  echo "  sudo sh -c '$apt_line'" >&2
  exit 4
fi

echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The lists may be empty or old, and another apt may be at work: refresh once, wait for the lock.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quiet_apt() { apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" >"$log" 2>&1; }
install() { quiet_apt install -y --no-install-recommends "$@"; }
if ! quiet_apt update && [ ${#needed[@]} -gt 0 ] || { [ ${#needed[@]} -gt 0 ] && ! install "${needed[@]}"; }; then
  cat "$log" >&2
  echo "setup: apt failed, see above; try by hand: $apt_line" >&2
  exit 1
fi
for package in ${needed[@]+"${needed[@]}"}; do
  installed "$package" || { echo "setup: apt was content, but $package is still missing" >&2; exit 1; }
done
if [ ${#wished[@]} -gt 0 ] && ! install "${wished[@]}"; then
  echo "setup: ${wished[*]} could not be installed; the tests that want it are left out" >&2
fi
echo "setup: done"
