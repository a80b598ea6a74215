#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/torch.sh wheel | test [TEST...] | sweep [OPTION...]

  wheel  builds the wheel of torch_xhal against the xhal of build/dev, and prints its path
  test   installs that wheel into an environment that has nothing else, and runs torch/plugin/tests there (TEST: a module of it), JOBS
         processes side by side (default: a processor each)
  sweep  runs PyTorch's own databases of operators, modules and optimisers there (torch/plugin/sweep) and compares what it finds with
         docs/results/torch/operators-DRIVER.tsv where there is one (OPTION: of python -m sweep). --sample N runs N pairs, which depend on the
         commit, so that commits take turns, or on --seed TEXT; --record docs writes that table anew and the documents that are made of it

What is missing is installed by pip below build/torch, which holds all that this script makes. DRIVERS in the environment: the drivers to test
over, one after the other (default: sim). A name of scripts/opencl.sh --list stands for xhal's driver opencl over that runtime; pocl:2 has two
devices.

exit codes: 0 done, all passed; 1 a test or the sweep failed; 2 wrong usage, or build/dev is missing; else that of cmake or pip
USAGE
}
case ${1-} in
  -h | --help) usage; exit 0 ;;
  wheel | test | sweep) command=$1; shift ;;
  *) echo "torch: say wheel, test or sweep; see scripts/torch.sh --help" >&2; exit 2 ;;
esac
[ -f build/dev/CMakeCache.txt ] || { echo "torch: build/dev is missing; run: make build" >&2; exit 2; }

top=$PWD
folder=$top/build/torch
mkdir -p "$folder"
# Not ours to load while ours is built, nor the user's when it is tested.
export TORCH_DEVICE_BACKEND_AUTOLOAD=0 PYTHONNOUSERSITE=1
unset PYTHONPATH

# An environment is whole, or it is made anew.
environment() {
  local name=$1
  shift
  if [ "$(cat "$folder/$name/complete" 2>/dev/null)" = "$*" ]; then return; fi
  echo "torch: installing $* into build/torch/$name" >&2
  rm -rf "${folder:?}/$name"
  python3 -m venv "$folder/$name"
  "$folder/$name/bin/pip" install --quiet "$@" 2> >(grep -v "^WARNING: Location" >&2)
  echo "$*" >"$folder/$name/complete"
}

wheel() {
  environment build torch==2.13.0 numpy==2.3.5 scikit-build-core==1.1.2 pyyaml==6.0.3
  rm -rf "$folder/prefix" "$folder/wheel"
  cmake --install build/dev --prefix "$folder/prefix" --strip >/dev/null
  CMAKE_PREFIX_PATH=$folder/prefix CMAKE_GENERATOR=Ninja "$folder/build/bin/pip" wheel --quiet --no-build-isolation --no-deps --no-index \
    --config-settings build-dir="$folder/tree" --config-settings cmake.define.TORCH_XHAL_WERROR=ON --wheel-dir "$folder/wheel" torch/plugin
  ls "$folder"/wheel/*.whl
}

if [ "$command" = wheel ]; then
  wheel
  exit
fi

file=$(wheel)
# expecttest: torch.testing._internal, which has the databases, imports it.
environment empty torch==2.13.0 numpy==2.3.5 expecttest==0.3.0
"$folder/empty/bin/pip" install --quiet --no-deps --no-index --force-reinstall "$file"
unset TORCH_DEVICE_BACKEND_AUTOLOAD
if [ "$command" = sweep ]; then
  case " $* " in
    *" --seed "*) ;;
    *" --sample "*) set -- "$@" --seed "$(git rev-parse --short=12 --verify --quiet HEAD || echo 0)" ;;
  esac
  for driver in ${DRIVERS:-sim}; do
    table=docs/results/torch/operators-$driver.tsv
    echo "torch: sweep over $driver"
    # -P: the folder torch of this repository is not the package.
    former=()
    if [ -f "$table" ]; then former=(--compare "$table"); fi
    XHAL_DRIVERS=$driver PYTHONPATH=torch/plugin/sweep "$folder/empty/bin/python" -P -m sweep --jobs "${JOBS:-$(nproc)}" "${former[@]}" "$@"
  done
  exit
fi
cd torch/plugin/tests
failed=
for driver in ${DRIVERS:-sim}; do
  echo "torch: tests over $driver"
  tests=("$folder/empty/bin/python" -W error::DeprecationWarning:torch_xhal run.py "$@")
  case ${driver%%:*} in
    pocl | pocl-basic | intel | rusticl | oclgrind)
      devices=1
      if [ "$driver" != "${driver%%:*}" ]; then devices=${driver##*:}; fi
      XHAL_DRIVERS=opencl "$top/scripts/opencl.sh" "${driver%%:*}" --devices "$devices" -- "${tests[@]}" || failed="$failed $driver"
      ;;
    *) XHAL_DRIVERS=$driver "${tests[@]}" || failed="$failed $driver" ;;
  esac
done
if [ -n "$failed" ]; then
  echo "torch: tests failed over$failed" >&2
  exit 1
fi
