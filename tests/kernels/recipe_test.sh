#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kernel recipe as a project uses it: what it refuses, what it rebuilds, what it says without its tools, and that it works
# when installed.
#   recipe_test.sh refused|rebuilds|without_tools|installed SOURCE_DIR BUILD_DIR KERNELGEN WORK_DIR
set -euo pipefail
what=$1 source_dir=$2 build_dir=$3 kernelgen=$4 work=$5/$1
module=$source_dir/cmake/XhalKernels.cmake
project=$source_dir/tests/kernels/recipe_project

fail() {
  echo "recipe_test.sh $what: $*" >&2
  exit 1
}
configure() { cmake -G Ninja -S "$project" -B "$work/build" "$@"; }
two_sources() {
  mkdir "$work/sources"
  echo '#define STEP 1' > "$work/sources/step.h"
  for name in one two; do
    printf '#include "step.h"\nkernel void %s(global int* x) { x[get_global_id(0)] += STEP; }\n' $name > "$work/sources/$name.cl"
  done
}
image=built_pack.native.x86-64-v2.so

rm -rf "$work"
mkdir -p "$work"
case $what in
  refused)
    configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DREFUSED=ON > /dev/null
    if cmake --build "$work/build" -- -k 0 > "$work/log" 2>&1; then fail "every pack was built"; fi
    for file in "$project"/refused/*.cl; do
      pattern=$(sed -n 's|^// refused: ||p' "$file")
      [ -n "$pattern" ] || fail "$file does not say why it is refused"
      grep -Eq -- "$pattern" "$work/log" || { cat "$work/log"; fail "no line matches '$pattern'"; }
      name=$(basename "$file" .cl)
      [ -z "$(find "$work/build/$name" -name '*.so' 2> /dev/null)" ] || fail "$name has an image"
    done
    grep -q "two sources define the kernel 'twin': rename one" "$work/log" || { cat "$work/log"; fail "twins were accepted"; }
    ;;
  rebuilds)
    two_sources
    configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DSOURCES_DIR="$work/sources" > /dev/null
    build() { cmake --build "$work/build" > "$work/log"; }
    build
    cmake --build "$work/build" | grep -q 'no work to do' || fail "a second build had work"
    echo '// changed' >> "$work/sources/one.cl"
    build
    grep -q 'native one for x86-64-v4' "$work/log" || fail "one.cl was not rebuilt"
    grep -q "$image" "$work/log" || fail "the image was not rebuilt"
    if grep -q 'native two' "$work/log"; then fail "two.cl was rebuilt without a reason"; fi
    echo '#define STEP 2' > "$work/sources/step.h"
    build
    for name in one two; do
      grep -q "native $name for x86-64-v4" "$work/log" || fail "$name.cl was not rebuilt after its header changed"
    done
    ;;
  without_tools)
    two_sources
    configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DSOURCES_DIR="$work/sources" -DXHAL_KERNEL_CLANG=/nonexistent \
      > "$work/log"
    grep -q 'kernel pack built without format native: missing clang-15 (Debian packages clang-15 llvm-15 lld-15)' "$work/log" ||
      { cat "$work/log"; fail "the line that names the missing tool is missing"; }
    cmake --build "$work/build" > /dev/null
    tr -d ' \n' < "$work/build/manifest.json" | grep -qxF '{"schema":1,"pack":"built","images":[]}' || fail "manifest is wrong"
    ;;
  installed)
    two_sources
    prefix="$work/a prefix with blanks"
    cmake -DCMAKE_INSTALL_PREFIX="$prefix" -P "$build_dir/kernels/cmake_install.cmake" > /dev/null
    for file in share/xhal/kernels/manifest.json share/xhal/kernels/xhal_pack.native.x86-64-v{2,3,4}.so; do
      [ -s "$prefix/$file" ] || fail "$file is not installed"
    done
    configure -DMODULE="$prefix/lib/cmake/xhal/XhalKernels.cmake" -DSOURCES_DIR="$work/sources" > /dev/null
    cmake --build "$work/build" > "$work/log" || { cat "$work/log"; fail "a pack does not build with the installed kit"; }
    [ -s "$work/build/$image" ] || fail "no image was built"
    ;;
  *) fail "unknown case" ;;
esac
