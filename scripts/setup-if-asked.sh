#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: [SETUP=skip] scripts/setup-if-asked.sh [GROUP...]: scripts/setup.sh, unless whoever runs make takes care of packages.
set -euo pipefail
[ "${SETUP:-auto}" = skip ] || exec "$(dirname "${BASH_SOURCE[0]}")/setup.sh" --quiet "$@"
