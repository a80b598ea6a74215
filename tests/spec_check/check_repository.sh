#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_repository.sh SPEC_CHECK XHAL_CONFORM SOURCE_DIR: every rule of the spec against what is there now.
set -euo pipefail
list=$(mktemp)
trap 'rm -f "$list"' EXIT
"$2" --list --format json >"$list"
"$1" --root "$3" --tests "$list"
