#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kernel recipe as a project uses it: what it refuses, what it rebuilds, what it says without its tools, and that it works
# when installed; and that the suite, whose oracles share nothing with the kernels, finds a bug that was planted in a kernel's source.
#   recipe_test.sh refused|rebuilds|without_tools|texts|texts_refused|spirv|schema|installed|other_targets|planted SOURCE_DIR BUILD_DIR KERNELGEN WORK_DIR
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
      "-DFORMATS=native;opencl-c" > "$work/log"
    grep -q 'kernel pack built without format native: missing clang-15 (Debian packages clang-15 llvm-15 lld-15)' "$work/log" ||
      { cat "$work/log"; fail "the line that names the missing tool is missing"; }
    grep -q 'kernel pack built without format opencl-c: missing clang-15 (Debian package clang-15)' "$work/log" ||
      { cat "$work/log"; fail "opencl-c does not name what it misses"; }
    cmake --build "$work/build" > /dev/null
    tr -d ' \n' < "$work/build/manifest.json" | grep -qxF '{"schema":1,"pack":"built","images":[]}' || fail "manifest is wrong"
    ;;
  texts)
    # Macros of one name in two sources, a header without a guard, one with, and kernels that only some devices have.
    mkdir "$work/sources"
    printf '#ifndef TWICE_H\n#define TWICE_H\nstatic int twice(int x) { return x * 2; }\n#endif\n' > "$work/sources/twice.h"
    echo 'BODY' > "$work/sources/body.h"
    for name in one two; do
      printf '#include "twice.h"\n#define BODY kernel void %s(global int* x) { x[0] = twice(x[0]); }\n' $name > "$work/sources/$name.cl"
    done
    printf '#ifdef cl_khr_fp64\nkernel void wide(global double* x) { x[0] += 1; }\n#endif\nkernel void three(global int* x) { x[0] = 3; }\n' \
      > "$work/sources/three.cl"
    sed -i '$a BODY' "$work"/sources/{one,two}.cl
    configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DSOURCES_DIR="$work/sources" -DFORMATS=opencl-c > /dev/null
    build() { cmake --build "$work/build" > "$work/log" || { cat "$work/log"; fail "the texts do not build"; }; }
    build
    for target in 1.2 2.0; do
      text=$work/build/built_pack.opencl-c.$target.cl
      [ "$(grep -c 'int twice(' "$text")" = 1 ] || fail "the header does not stand in the text once"
      if grep -q '#include' "$text"; then fail "an include is left"; fi
      grep -q '#ifdef cl_khr_fp64' "$text" || fail "a condition was decided"
    done
    tr -d ' \n' < "$work/build/manifest.json" |
      grep -qF '"file":"built_pack.opencl-c.1.2.cl","format":"opencl-c","target":"1.2","kernels":["one","wide","three","two"],"globals":[]' ||
      { cat "$work/build/manifest.json"; fail "manifest is wrong"; }
    clang=$(sed -n 's/^XHAL_KERNEL_CLANG:FILEPATH=//p' "$build_dir/CMakeCache.txt")
    compiles() { "$clang" -x cl -cl-std=CL1.2 --target=spir64 -fsyntax-only "$1" 2> "$work/log"; }
    text=$work/build/built_pack.opencl-c.1.2.cl
    compiles "$text" || { cat "$work/log"; fail "the text does not compile"; }
    size=$(stat -c %s "$text")
    for kept in 1 2 35 64 $((size / 2)) $((size * 9 / 10)) $((size - 3)); do
      head -c $kept "$text" > "$work/cut.cl"
      if compiles "$work/cut.cl"; then fail "$kept bytes of the text compile"; fi
    done
    cmake --build "$work/build" | grep -q 'no work to do' || fail "a second build had work"
    sed -i 's/x \* 2/x + x/' "$work/sources/twice.h"
    build
    grep -q 'x + x' "$work/build/built_pack.opencl-c.1.2.cl" || fail "the text was not made again after its header changed"
    ;;
  texts_refused)
    refused() { # pattern source
      mkdir -p "$work/sources"
      echo '#define STEP 1' > "$work/sources/step.h"
      printf '%b' "$2" > "$work/sources/one.cl"
      configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DSOURCES_DIR="$work/sources" -DFORMATS=opencl-c > /dev/null
      if cmake --build "$work/build" > "$work/log" 2>&1; then fail "was not refused: $2"; fi
      grep -Eq -- "$1" "$work/log" || { cat "$work/log"; fail "no line matches '$1'"; }
      [ -z "$(find "$work/build" -maxdepth 1 -name '*.cl')" ] || fail "a refused source has an image: $2"
      rm -r "$work/sources" "$work/build"
    }
    body='kernel void one(global int* x) { x[0] = 1; }\n'
    refused '^one\.cl: defines EARLY before it includes "step\.h"' "#define EARLY 1\n#include \"step.h\"\n$body"
    refused '^one\.cl: includes <step\.h>: a device' "#include <step.h>\n$body"
    refused '^one\.cl: includes "none\.h", which is neither beside it' "#include \"none.h\"\n$body"
    refused '^one\.cl: defines STEP as step\.h does' "#include \"step.h\"\n#undef STEP\n#define STEP 2\n$body"
    refused 'built in OpenCL C 1\.2: has no kernel' 'int helper(int x) { return x; }\n'
    # Right for this compiler, wrong for the one of a device without doubles.
    refused 'double' 'kernel void one(global double* x) { x[0] = 1; }\n'
    ;;
  spirv)
    two_sources
    printf '#include "step.h"\nglobal int kept = STEP;\nkernel void three(global int* x) { x[0] = kept; }\n' > "$work/sources/newer.cl"
    spirv() { configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DSOURCES_DIR="$work/sources" -DFORMATS=spirv -DNEWER=newer.cl "$@"; }
    spirv -DXHAL_KERNEL_SPIRV_VAL=/nonexistent > "$work/log"
    grep -q 'kernel pack built without format spirv: missing spirv-val (Debian packages clang-15 llvm-15 llvm-spirv-15 spirv-tools)' "$work/log" ||
      { cat "$work/log"; fail "the line that names the missing tool is missing"; }
    rm -r "$work/build"
    spirv > /dev/null
    cmake --build "$work/build" > "$work/log" || { cat "$work/log"; fail "the module does not build"; }
    tr -d ' \n' < "$work/build/manifest.json" |
      grep -qF '"file":"built_pack.spirv.1.0.spv","format":"spirv","target":"1.0","kernels":["one","two"],"globals":[]' ||
      { cat "$work/build/manifest.json"; fail "manifest is wrong"; }
    [ "$(od -An -tx4 -N8 "$work/build/built_pack.spirv.1.0.spv" | tr -d ' ')" = 0723020300010000 ] || fail "no SPIR-V 1.0"
    # 64-bit atomics where no condition asks for them: a device of OpenCL 1.2 need not have any.
    echo 'kernel void four(global ulong* x) { atom_add(x, 1UL); }' > "$work/sources/one.cl"
    if cmake --build "$work/build" > "$work/log" 2>&1; then fail "64-bit atomics were taken for granted"; fi
    grep -q "call to 'atom_add' is ambiguous\|implicit declaration of function 'atom_add'\|no matching function for call to 'atom_add'" "$work/log" ||
      { cat "$work/log"; fail "the atomic is not named"; }
    ;;
  schema)
    jsonschema=/usr/bin/jsonschema
    [ -x $jsonschema ] || jsonschema=jsonschema
    schema=$build_dir/share/xhal/schemas/xhal-kernel-pack.schema.json
    manifest=$build_dir/share/xhal/kernels/manifest.json
    for built in "$manifest" "$build_dir"/tests/kernels/{pack,plain}/manifest.json; do
      $jsonschema -i "$built" "$schema" || fail "$built is not what the schema says"
    done
    without_tools='{"schema": 1, "pack": "built", "images": []}'
    $jsonschema -i /dev/stdin "$schema" <<< "$without_tools" || fail "a pack without an image is refused"
    refused() { # reason, edit
      sed "$2" "$manifest" > "$work/edited.json"
      if $jsonschema -i "$work/edited.json" "$schema" > "$work/log" 2>&1; then fail "was accepted: $2"; fi
      grep -q -- "$1" "$work/log" || { cat "$work/log"; fail "no line says '$1'"; }
    }
    refused '1 was expected' 's/"schema": 1/"schema": 2/'
    refused "'../xhal_pack.* does not match" 's|"file": "|"file": "../|'
    refused "'' does not match" 's/"target": "[^"]*"/"target": ""/'
    refused "'globals' is a required property" 's/"globals"/"variables"/'
    refused 'has non-unique elements' 's/"xhal_axpy_i8", /"xhal_axpy_i16", /'
    refused "'size' was unexpected" 's/"format":/"size": 1, "format":/'
    ;;
  installed)
    two_sources
    prefix="$work/a prefix with blanks"
    cmake -DCMAKE_INSTALL_PREFIX="$prefix" -P "$build_dir/kernels/cmake_install.cmake" > /dev/null
    for file in share/xhal/kernels/manifest.json share/xhal/kernels/xhal_pack.{native.x86-64-v{2,3,4}.so,opencl-c.{1.2,2.0}.cl}; do
      [ -s "$prefix/$file" ] || fail "$file is not installed"
      case $file in
        *.so) [ -x "$prefix/$file" ] || fail "$file may not be executed" ;;
        *) [ ! -x "$prefix/$file" ] || fail "$file is no program, but may be executed" ;;
      esac
    done
    configure -DMODULE="$prefix/lib/cmake/xhal/XhalKernels.cmake" -DSOURCES_DIR="$work/sources" \
      "-DFORMATS=native;opencl-c" > /dev/null
    cmake --build "$work/build" > "$work/log" || { cat "$work/log"; fail "a pack does not build with the installed kit"; }
    for file in "$image" built_pack.opencl-c.1.2.cl; do
      [ -s "$work/build/$file" ] || fail "$file was not built"
    done
    ;;
  other_targets)
    # No recipe makes these formats yet: the source alone is asked, for variables that a vendor's loader finds by name.
    clang=$(sed -n 's/^XHAL_KERNEL_CLANG:FILEPATH=//p' "$build_dir/CMakeCache.txt")
    for target in nvptx64 amdgcn-amd-amdhsa spir64; do
      "$clang" -x cl -cl-std=CL2.0 --target=$target -nogpulib -O2 -Wall -Wextra -Werror -Wno-unused-command-line-argument -S -emit-llvm \
        "$source_dir/kernels/src/xhal_kept_u64.cl" -o "$work/$target.ll"
      grep -q '^@xhal_kept = .*addrspace(1) global \[13 x i64\] \[i64 -7046029254386353131, ' "$work/$target.ll" ||
        fail "$target has no xhal_kept in global memory"
      grep -q '^@xhal_kept_items = .*addrspace(1) global \[1 x i32\] zeroinitializer' "$work/$target.ll" ||
        fail "$target has no xhal_kept_items in global memory"
    done
    "$clang" -x cl -cl-std=CL2.0 --target=nvptx64 -O2 -S "$source_dir/kernels/src/xhal_kept_u64.cl" -o "$work/kept.ptx"
    grep -q '^\.visible \.global \.align 8 \.b8 xhal_kept\[104\]' "$work/kept.ptx" || fail "PTX has no symbol xhal_kept"
    ;;
  planted)
    mkdir "$work/sources"
    cp "$source_dir"/kernels/src/{*.h,xhal_axpy.cl,xhal_fold_u64.cl,xhal_fill.cl} "$work/sources"
    configure -DMODULE="$module" -DKERNELGEN="$kernelgen" -DSOURCES_DIR="$work/sources" -DPACK=xhal > /dev/null
    judged() { # exit code
      cmake --build "$work/build" > "$work/log" || { cat "$work/log"; fail "the pack does not build"; }
      code=0
      "$build_dir/bin/xhal-conform" --backend sim --kernels "$work/build" --level full --filter 'kernel.axpy/*' > "$work/out" || code=$?
      [ $code = "$1" ] || { cat "$work/out"; fail "exit code $code, not $1"; }
    }
    judged 0
    sed -i 's|a\* x\[i\] + y\[i\]|a * x[i] - y[i]|' "$work/sources/xhal_axpy.cl"
    judged 1
    [ "$(grep -c '^failed .*kernel.axpy/' "$work/out")" = 8 ] || { cat "$work/out"; fail "not all but n=0 failed"; }
    grep -q 'XHAL-KERNEL-' "$work/out" || fail "no clause is named"
    ;;
  *) fail "unknown case" ;;
esac
