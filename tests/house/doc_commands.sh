#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: doc_commands.sh SOURCE BUILD FILE.md     run the file's blocks marked sh
#        doc_commands.sh SOURCE --exceptions FILE.md...   check that no exception is stale
# Blocks marked console are shown, not run. Each block runs in a copy of the checkout's shape: every top-level entry is there by
# a link, and build/dev and build/dist both are BUILD, whose tools are on the PATH as if they were installed. Lines in doc_commands_exceptions.txt are left out.
set -euo pipefail
source_root=$(cd "$1" && pwd)
exceptions=$(dirname "${BASH_SOURCE[0]}")/doc_commands_exceptions.txt

# Each sh block of a file as lines "<number of first line><unit separator><line>".
blocks() {
  awk '/^ *```sh *$/ { inside = 1; first = FNR + 1; next } /^ *```/ { inside = 0 } inside { print first "\037" $0 }' "$1"
}
# Exceptions are "command" lines, each under a # line that gives the reason.
excepted() { grep -qxF -e "$1" <(grep -v '^#' "$exceptions"); }

if [ "$2" = --exceptions ]; then
  shift 2
  all=$(for file in "$@"; do blocks "$file" | cut -d $'\037' -f 2-; done)
  failed=0 reason=no
  while IFS= read -r line; do
    case $line in
      '#'*) reason=yes; continue ;;
      '') reason=no; continue ;;
    esac
    if [ $reason = no ]; then echo "FAILED: no reason stands above the exception: $line"; failed=1; fi
    grep -qxF -e "$line" <<<"$all" || { echo "FAILED: no documented command reads: $line"; failed=1; }
  done <"$exceptions"
  exit $failed
fi

build=$(cd "$2" && pwd)
file=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for entry in "$source_root"/* "$source_root"/.[!.]*; do
  case ${entry##*/} in build | build-* | .git) ;; *) if [ -e "$entry" ]; then ln -s "$entry" "$scratch/"; fi ;; esac
done
mkdir "$scratch/build"
ln -s "$build" "$scratch/build/dev"
ln -s "$build" "$scratch/build/dist"

export PATH=$build/bin:$PATH

ran=0 left_out=0 failed=0
numbers=$(blocks "$file" | cut -d $'\037' -f 1 | uniq)
for number in $numbers; do
  script=$scratch/.block.sh
  : >"$script"
  while IFS= read -r line; do
    if excepted "$line"; then left_out=$((left_out + 1)); else printf '%s\n' "$line" >>"$script"; ran=$((ran + 1)); fi
  done < <(blocks "$file" | awk -F '\037' -v n="$number" '$1 == n { print substr($0, length(n) + 2) }')
  code=0
  (cd "$scratch" && bash -euo pipefail -v "$script") </dev/null 2>&1 || code=$?
  if [ $code -ne 0 ]; then echo "FAILED: $file:$number: exit code $code"; failed=1; fi
done
echo "$file: $ran lines run, $left_out left out"
exit $failed
