#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proves README: makes an empty Debian 12, clones the committed tree into it and runs README's two commands there.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'USAGE'
usage: scripts/empty-root.sh [--dir DIR] [--keep] [COMMAND...]

Makes a Debian 12 root (debootstrap, minbase) from this machine's own apt mirror, installs git and make in it, clones HEAD of this
tree and runs each COMMAND in the clone (default: 'make conform' and 'make test'). Uncommitted changes are not seen.

  --dir DIR   where to make the root (default: a new folder below TMPDIR or /var/tmp; about 4 GB)
  --keep      leave the root behind

exit codes: 0 all commands passed; 1 a command failed; 2 wrong usage, or not a git checkout with a commit; 4 not root; 5 debootstrap or
            unshare is missing (scripts/setup.sh nightly); 6 no Debian mirror is configured, or debootstrap or apt failed
USAGE
}

root='' keep=no commands=()
while [ $# -gt 0 ]; do
  case $1 in
    --dir) [ $# -ge 2 ] || { echo "empty-root: --dir wants a folder" >&2; exit 2; }; root=$2; shift ;;
    --keep) keep=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "empty-root: unknown option '$1'; see scripts/empty-root.sh --help" >&2; exit 2 ;;
    *) commands+=("$1") ;;
  esac
  shift
done
if [ ${#commands[@]} -eq 0 ]; then commands=("make conform" "make test"); fi

[ "$(id -u)" -eq 0 ] || { echo "empty-root: needs root, for chroot and mounts; run it with sudo" >&2; exit 4; }
for tool in debootstrap unshare; do
  command -v $tool >/dev/null || { echo "empty-root: $tool is missing; scripts/setup.sh nightly installs it" >&2; exit 5; }
done
commit=$(git -C "$top" rev-parse --verify --quiet HEAD) || { echo "empty-root: $top is not a git checkout with a commit" >&2; exit 2; }

# In a mount and process name space of its own, so that no mount and no process outlives this script, however it ends.
if [ "${EMPTY_ROOT_INSIDE:-}" != yes ]; then
  if [ -n "$root" ]; then
    mkdir -p "$root"
    [ -z "$(ls -A "$root")" ] || { echo "empty-root: '$root' is not empty" >&2; exit 2; }
  else
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/xhal-empty-root-XXXXXX")
  fi
  code=0
  EMPTY_ROOT_INSIDE=yes unshare --mount --pid --fork --kill-child --propagation private \
    "$0" --dir "$root" "${commands[@]}" || code=$?
  if [ $keep = yes ]; then echo "empty-root: kept in $root"; else rm -rf --one-file-system "$root"; fi
  exit $code
fi

say() { printf '== empty-root: %s\n' "$*"; }
since() { printf '%d:%02d' $(((SECONDS - $1) / 60)) $(((SECONDS - $1) % 60)); }

# The first archive of bookworm that this machine's apt uses, in either form of its configuration.
mirror=$({
  awk 'FNR == 1 { uri = ""; suites = "" }
       /^URIs:/ { uri = $2 } /^Suites:/ { if (/[ \t]bookworm([ \t]|$)/) suites = "yes" } /^[ \t]*$/ { uri = ""; suites = "" }
       uri != "" && suites != "" { print uri; uri = "" }' /etc/apt/sources.list.d/*.sources
  sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) +bookworm( .*)?$/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
} 2>/dev/null | head -n 1 || true)
[ -n "$mirror" ] || { echo "empty-root: this machine's apt sources name no archive of Debian 12 (bookworm)" >&2; exit 6; }

begun=$SECONDS
chmod 755 "$root"  # mktemp's 0700 would keep other users out of everything in it
say "debootstrap of Debian 12, minbase"
if ! debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1; then
  tail -n 20 "$root.log" >&2
  echo "empty-root: debootstrap failed, see $root.log" >&2
  exit 6
fi
rm -f "$root.log"
say "debootstrap done in $(since $begun)"

# The machine's own way to its mirror: sources, how apt acquires (not its hooks), names.
rm -f "$root/etc/apt/sources.list"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
  if [ -f "$file" ]; then cp "$file" "$root$file"; fi
done
apt-config dump | grep '^Acquire::' | grep -v 'IndexTargets' >"$root/etc/apt/apt.conf.d/90from-host" || true
cp /etc/resolv.conf /etc/hosts "$root/etc/"
# Its way to PyPI likewise: pip's own settings, and the certificates that they name, in a file that no package of the root writes.
if [ -f /etc/pip.conf ]; then
  certificates=$(sed -nE 's/^cert *= *(.*)$/\1/p' /etc/pip.conf | head -n 1)
  if [ -f "$certificates" ]; then cp "$certificates" "$root/etc/pip-certificates.crt"; fi
  sed -E 's,^cert *=.*,cert = /etc/pip-certificates.crt,' /etc/pip.conf >"$root/etc/pip.conf"
fi
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb ${JOBS:+JOBS="$JOBS"} bash -c "$1" </dev/null; }
begun=$SECONDS
if ! inside 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends git make' >"$root/apt.log" 2>&1; then
  tail -n 20 "$root/apt.log" >&2
  echo "empty-root: apt failed inside the root" >&2
  exit 6
fi
# What a newcomer has: no package lists either.
rm -rf "$root"/var/lib/apt/lists/*
say "git and make installed in $(since $begun)"

git clone --quiet --no-hardlinks "$top" "$root/srv/xhal"
git -C "$root/srv/xhal" checkout --quiet --detach "$commit"
chown -R root:root "$root/srv/xhal"

failed=0 report=()
for command in "${commands[@]}"; do
  begun=$SECONDS code=0
  say "$command"
  inside "cd /srv/xhal && $command" 2>&1 || code=$?
  if [ $code -ne 0 ]; then failed=1; fi
  report+=("$(printf '%-24s exit code %d in %s' "$command" "$code" "$(since $begun)")")
done
say "report for $commit"
printf '%s\n' "${report[@]}"
exit $failed
