# SPDX-License-Identifier: Apache-2.0
# Kernel packs: each kernel is one OpenCL C 1.2 source; a recipe a format turns the sources into images.
#
#   xhal_add_kernel_pack(NAME <pack> SOURCES <file.cl>... [FORMATS <format>...] [COMPILE_OPTIONS <option>...]
#                        [OUTPUT_DIRECTORY <dir>] [DESTINATION <dir>])
#
# makes the target <pack>_kernels and
#   <OUTPUT_DIRECTORY>/<pack>_pack.<format>.<target><suffix>  the images, e.g. xhal_pack.native.x86-64-v3.so, xhal_pack.opencl-c.1.2.cl
#   <OUTPUT_DIRECTORY>/manifest.json  {"schema":1,"pack":...,"images":[{"file","format","target","kernels","globals"}]}, see docs/kernels.md
# FORMATS is `native` unless given; XhalKernelsPortable.cmake has `opencl-c` and `spirv`. A format whose tools are missing is left out
# with a line that names them, and then does not stand in the manifest. COMPILE_OPTIONS go to the compiler of the OpenCL sources; what only
# one source needs, such as -cl-std=CL2.0 for global variables, is its property COMPILE_OPTIONS. OUTPUT_DIRECTORY is the current binary
# folder unless given. With DESTINATION all files are installed there. The target's property XHAL_IMAGE_FORMATS lists what was built.
#
# A recipe is one function, xhal_kernel_format_<name>(), with _ in place of what no identifier has; see the contract above
# xhal_kernel_format_native() below. A project that has another format defines its function and names it in FORMATS.

include_guard(GLOBAL)

if(EXISTS "${CMAKE_CURRENT_LIST_DIR}/../kernels/native/builtins.c")
  get_filename_component(xhal_root "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
  set(XHAL_KERNEL_KIT_DIR "${xhal_root}/kernels/native" CACHE INTERNAL "")
  set(XHAL_KERNEL_INCLUDE_DIRS "${xhal_root}/kernels/native;${xhal_root}/sim" CACHE INTERNAL "")
  set(XHAL_KERNEL_SOURCE_INCLUDE_DIRS "${xhal_root}/kernels/src" CACHE INTERNAL "")
else()
  # Installed: sources and generator lie in a folder beside this file.
  set(XHAL_KERNEL_KIT_DIR "${CMAKE_CURRENT_LIST_DIR}/kernel-kit" CACHE INTERNAL "")
  set(XHAL_KERNEL_INCLUDE_DIRS "${XHAL_KERNEL_KIT_DIR}" CACHE INTERNAL "")
  set(XHAL_KERNEL_SOURCE_INCLUDE_DIRS "${XHAL_KERNEL_KIT_DIR}" CACHE INTERNAL "")
  if(NOT TARGET xhal-kernelgen)
    add_executable(xhal-kernelgen IMPORTED GLOBAL)
    set_target_properties(xhal-kernelgen PROPERTIES IMPORTED_LOCATION "${XHAL_KERNEL_KIT_DIR}/xhal-kernelgen")
  endif()
endif()

# One LLVM version: the textual form of its modules, which xhal-kernelgen reads, changes between versions.
set(XHAL_KERNEL_LLVM_VERSION 15)
function(xhal_kernel_tool_is_right out candidate)
  execute_process(COMMAND "${candidate}" --version OUTPUT_VARIABLE version ERROR_QUIET)
  if(NOT version MATCHES "(version|LLD) ${XHAL_KERNEL_LLVM_VERSION}\\.")
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()
foreach(tool IN ITEMS clang opt llvm-link ld.lld llvm-spirv)
  string(TOUPPER "XHAL_KERNEL_${tool}" variable)
  string(MAKE_C_IDENTIFIER "${variable}" variable)
  find_program(${variable} NAMES ${tool}-${XHAL_KERNEL_LLVM_VERSION} ${tool}
    PATHS /usr/lib/llvm-${XHAL_KERNEL_LLVM_VERSION}/bin
    VALIDATOR xhal_kernel_tool_is_right)
  mark_as_advanced(${variable})
endforeach()
find_program(XHAL_KERNEL_SPIRV_VAL spirv-val)
mark_as_advanced(XHAL_KERNEL_SPIRV_VAL)

# The tools of these names that are not there, as Debian calls their programs.
function(xhal_kernel_missing_tools out)
  set(missing)
  foreach(tool IN LISTS ARGN)
    string(TOUPPER "XHAL_KERNEL_${tool}" variable)
    string(MAKE_C_IDENTIFIER "${variable}" variable)
    if(NOT EXISTS "${${variable}}")
      if(NOT tool STREQUAL "spirv-val")
        string(APPEND tool "-${XHAL_KERNEL_LLVM_VERSION}")
      endif()
      list(APPEND missing "${tool}")
    endif()
  endforeach()
  set(${out} "${missing}" PARENT_SCOPE)
endfunction()

# The options of the pack's sources and of this one.
function(xhal_kernel_source_options out source)
  get_source_file_property(own "${source}" COMPILE_OPTIONS)
  if(NOT own)
    set(own)
  endif()
  set(${out} "${PACK_COMPILE_OPTIONS};${own}" PARENT_SCOPE)
endfunction()

function(xhal_add_kernel_pack)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;OUTPUT_DIRECTORY;DESTINATION" "SOURCES;FORMATS;COMPILE_OPTIONS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES)
    message(FATAL_ERROR "xhal_add_kernel_pack(${arg_NAME}): NAME or SOURCES is missing, or unknown: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_FORMATS)
    set(arg_FORMATS native)
  endif()
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  set(sources)
  set(stems)
  foreach(source IN LISTS arg_SOURCES)
    get_filename_component(source "${source}" ABSOLUTE)
    get_filename_component(stem "${source}" NAME_WE)
    if(stem IN_LIST stems)
      message(FATAL_ERROR "xhal_add_kernel_pack(${arg_NAME}): two sources are called ${stem}.cl; rename one")
    endif()
    list(APPEND sources "${source}")
    list(APPEND stems "${stem}")
  endforeach()

  set(image_files)
  set(image_rows)
  set(image_lists)
  set(built_formats)
  set(programs)
  set(data)
  foreach(format IN LISTS arg_FORMATS)
    string(MAKE_C_IDENTIFIER "xhal_kernel_format_${format}" recipe)
    if(NOT COMMAND ${recipe})
      message(FATAL_ERROR "xhal_add_kernel_pack(${arg_NAME}): there is no recipe ${recipe}()")
    endif()
    set(PACK_NAME "${arg_NAME}")
    set(PACK_SOURCES "${sources}")
    set(PACK_COMPILE_OPTIONS "${arg_COMPILE_OPTIONS}")
    set(PACK_OUTPUT_DIRECTORY "${arg_OUTPUT_DIRECTORY}")
    set(PACK_BUILD_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_kernels.dir/${format}")
    set(PACK_MISSING)
    set(PACK_IMAGES)
    set(PACK_LIST)
    set(PACK_SUFFIX .so)
    cmake_language(CALL ${recipe})
    if(PACK_MISSING)
      message(STATUS "xhal: kernel pack ${arg_NAME} without format ${format}: missing ${PACK_MISSING}")
      continue()
    endif()
    list(APPEND built_formats ${format})
    list(APPEND image_lists "${PACK_LIST}")
    foreach(target IN LISTS PACK_IMAGES)
      set(file "${arg_NAME}_pack.${format}.${target}${PACK_SUFFIX}")
      list(APPEND image_files "${arg_OUTPUT_DIRECTORY}/${file}")
      list(GET PACK_LIST 0 list)
      list(LENGTH PACK_LIST lists_left)
      if(lists_left GREATER 1)
        list(POP_FRONT PACK_LIST)
      endif()
      list(APPEND image_rows "${file}" "${format}" "${target}" "${list}")
      if(PACK_SUFFIX STREQUAL ".so")
        list(APPEND programs "${arg_OUTPUT_DIRECTORY}/${file}")
      else()
        list(APPEND data "${arg_OUTPUT_DIRECTORY}/${file}")
      endif()
    endforeach()
  endforeach()

  set(manifest "${arg_OUTPUT_DIRECTORY}/manifest.json")
  add_custom_command(OUTPUT "${manifest}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${arg_OUTPUT_DIRECTORY}"
    COMMAND xhal-kernelgen manifest "${manifest}" "${arg_NAME}" ${image_rows}
    DEPENDS ${image_lists} xhal-kernelgen
    COMMENT "Kernel pack ${arg_NAME}: manifest"
    VERBATIM)
  add_custom_target(${arg_NAME}_kernels ALL DEPENDS "${manifest}" ${image_files})
  set_target_properties(${arg_NAME}_kernels PROPERTIES XHAL_IMAGE_FORMATS "${built_formats}")
  if(arg_DESTINATION)
    install(FILES "${manifest}" ${data} DESTINATION "${arg_DESTINATION}" COMPONENT runtime)
    install(PROGRAMS ${programs} DESTINATION "${arg_DESTINATION}" COMPONENT runtime)
  endif()
endfunction()

# ---- The contract of a recipe -----------------------------------------------------------------------------------------------
# It reads  PACK_NAME, PACK_SOURCES, PACK_COMPILE_OPTIONS, PACK_OUTPUT_DIRECTORY and PACK_BUILD_DIRECTORY (for intermediate files),
# and sets in its caller either PACK_MISSING (what to install; it then adds no rule), or PACK_IMAGES, the targets for which it
# added rules that make <PACK_OUTPUT_DIRECTORY>/<PACK_NAME>_pack.<format>.<target><PACK_SUFFIX>; PACK_SUFFIX, where that is not .so; and
# PACK_LIST, files that rules make by `xhal-kernelgen join` or `names` and that name the kernels: one for all images, or one for each.

# ---- native: an ELF shared object a micro-architecture level ----------------------------------------------------------------
# A source becomes one module that is neutral to the processor: clang reads OpenCL C, xhal-kernelgen gives every function
# its work-item as a parameter, a wrapper that loops over the items of a group is generated from clang's own description of the
# parameters, all is inlined, and the guard `if (i < n)` is split off the loop (irce), since below AVX-512 a guarded loop
# vectorises badly or not at all. clang then optimises and compiles that module once for each level.
function(xhal_kernel_format_native)
  xhal_kernel_missing_tools(missing clang opt llvm-link ld.lld)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    list(APPEND missing "an x86-64 system (this one is ${CMAKE_SYSTEM_PROCESSOR})")
  endif()
  if(missing)
    list(JOIN missing ", " missing)
    set(PACK_MISSING "${missing} (Debian packages clang-15 llvm-15 lld-15)" PARENT_SCOPE)
    return()
  endif()

  set(dir "${PACK_BUILD_DIRECTORY}")
  set(kit "${XHAL_KERNEL_KIT_DIR}")
  file(MAKE_DIRECTORY "${dir}")
  list(TRANSFORM XHAL_KERNEL_INCLUDE_DIRS PREPEND "-I" OUTPUT_VARIABLE kit_includes)
  list(TRANSFORM XHAL_KERNEL_SOURCE_INCLUDE_DIRS PREPEND "-I" OUTPUT_VARIABLE source_includes)
  set(kit_headers)
  foreach(include_dir IN LISTS XHAL_KERNEL_INCLUDE_DIRS)
    file(GLOB headers CONFIGURE_DEPENDS "${include_dir}/native*.h" "${include_dir}/barriers.h" "${include_dir}/work_group.h")
    list(APPEND kit_headers ${headers})
  endforeach()

  # -O3 although no pass runs yet: at -O1 clang marks every loop as not to be unrolled or interleaved.
  # 16384: a worker's stack is small, and a kernel with a larger frame shall fail here rather than there.
  set(front --target=x86_64-pc-linux-gnu -fPIC -O3 -Xclang -disable-llvm-passes
    -fno-math-errno -fcf-protection=none -fno-stack-protector -Wframe-larger-than=16384 -S -emit-llvm)
  set(kit_compile "${XHAL_KERNEL_CLANG}" -std=c11 -Wall -Wextra -Werror ${front} ${kit_includes})
  set(link "${XHAL_KERNEL_LLVM_LINK}" --internalize --only-needed)

  add_custom_command(OUTPUT "${dir}/builtins.ll"
    COMMAND ${kit_compile} "${kit}/builtins.c" -o "${dir}/builtins.clang.ll"
    COMMAND xhal-kernelgen neutral "${dir}/builtins.clang.ll" "${dir}/builtins.ll"
    DEPENDS "${kit}/builtins.c" ${kit_headers} xhal-kernelgen
    COMMENT "Kernel pack ${PACK_NAME}: native built-ins"
    VERBATIM)

  set(lists)
  set(modules)
  foreach(source IN LISTS PACK_SOURCES)
    get_filename_component(stem "${source}" NAME_WE)
    get_filename_component(file_name "${source}" NAME)
    set(base "${dir}/${stem}")
    xhal_kernel_source_options(source_options "${source}")
    add_custom_command(OUTPUT "${base}.bc" "${base}.list"
      COMMAND "${XHAL_KERNEL_CLANG}" -x cl -cl-std=CL1.2 -cl-kernel-arg-info -DXHAL_FORMAT_NATIVE=1 ${front} ${source_includes}
        ${source_options} -MD -MT "${base}.bc" -MF "${base}.d" "${source}" -o "${base}.clang.ll"
      COMMAND xhal-kernelgen lift "${base}.clang.ll" "${base}.lifted.ll" "${file_name}"
      COMMAND ${link} "${base}.lifted.ll" "${dir}/builtins.ll" -o "${base}.linked.bc"
      COMMAND "${XHAL_KERNEL_OPT}" -S "-passes=always-inline,function(sroa,early-cse,instcombine),cgscc(function-attrs)"
        "${base}.linked.bc" -o "${base}.analysed.ll"
      COMMAND xhal-kernelgen wrap "${base}.analysed.ll" "${base}.lifted.ll" "${base}.wrapper.c" "${base}.list" "${file_name}"
      COMMAND ${kit_compile} "${base}.wrapper.c" -o "${base}.wrapper.clang.ll"
      COMMAND xhal-kernelgen neutral "${base}.wrapper.clang.ll" "${base}.wrapper.ll"
      COMMAND ${link} "${base}.wrapper.ll" "${base}.linked.bc" -o "${base}.whole.bc"
      COMMAND "${XHAL_KERNEL_OPT}" -S "-passes=always-inline,globaldce,function(reg2mem,instnamer)"
        "${base}.whole.bc" -o "${base}.inlined.ll"
      COMMAND xhal-kernelgen suspend "${base}.inlined.ll" "${base}.suspended.ll" "${file_name}"
      COMMAND "${XHAL_KERNEL_OPT}" "-passes=thinlto-pre-link<O3>,function(irce)" -irce-skip-profitability-checks
        "${base}.suspended.ll" -o "${base}.bc"
      DEPENDS "${source}" "${dir}/builtins.ll" ${kit_headers} xhal-kernelgen
      DEPFILE "${base}.d"
      COMMENT "Kernel pack ${PACK_NAME}: native ${stem}"
      VERBATIM)
    list(APPEND lists "${base}.list")
    list(APPEND modules "${base}.bc")
  endforeach()
  set(pack_list "${dir}/pack.list")
  add_custom_command(OUTPUT "${pack_list}"
    COMMAND xhal-kernelgen join "${pack_list}" ${lists}
    DEPENDS ${lists} xhal-kernelgen
    COMMENT "Kernel pack ${PACK_NAME}: native kernel list"
    VERBATIM)

  set(targets x86-64-v2 x86-64-v3 x86-64-v4)
  foreach(target IN LISTS targets)
    set(target_dir "${dir}/${target}")
    file(MAKE_DIRECTORY "${target_dir}")
    set(back --target=x86_64-pc-linux-gnu -march=${target} -fPIC -O3 -Werror=frame-larger-than -c)
    if(target STREQUAL "x86-64-v4")
      # clang tunes this level for the first processors that had it and uses half of each register; gcc uses all.
      list(APPEND back -Xclang -target-feature -Xclang -prefer-256-bit)
    endif()
    set(kit_object_compile "${XHAL_KERNEL_CLANG}" -std=c11 -Wall -Wextra -Werror -fvisibility=hidden -fcf-protection=none
      -fno-stack-protector ${back} ${kit_includes})
    set(objects)
    foreach(module IN LISTS modules)
      get_filename_component(stem "${module}" NAME_WE)
      add_custom_command(OUTPUT "${target_dir}/${stem}.o"
        COMMAND "${XHAL_KERNEL_CLANG}" -x ir ${back} "${module}" -o "${target_dir}/${stem}.o"
        DEPENDS "${module}"
        COMMENT "Kernel pack ${PACK_NAME}: native ${stem} for ${target}"
        VERBATIM)
      list(APPEND objects "${target_dir}/${stem}.o")
    endforeach()
    add_custom_command(OUTPUT "${target_dir}/native_barriers.o"
      COMMAND ${kit_object_compile} "${kit}/barriers.c" -o "${target_dir}/native_barriers.o"
      DEPENDS "${kit}/barriers.c" ${kit_headers}
      COMMENT "Kernel pack ${PACK_NAME}: native barriers for ${target}"
      VERBATIM)
    add_custom_command(OUTPUT "${target_dir}/native_image.o"
      COMMAND ${kit_object_compile} "-DXHAL_NATIVE_KERNELS=\"${pack_list}\"" "-DXHAL_NATIVE_TARGET=\"${target}\""
        "${kit}/image.c" -o "${target_dir}/native_image.o"
      DEPENDS "${kit}/image.c" "${pack_list}" ${kit_headers}
      COMMENT "Kernel pack ${PACK_NAME}: native kernel table for ${target}"
      VERBATIM)
    set(file "${PACK_NAME}_pack.native.${target}.so")
    add_custom_command(OUTPUT "${PACK_OUTPUT_DIRECTORY}/${file}"
      COMMAND "${CMAKE_COMMAND}" -E make_directory "${PACK_OUTPUT_DIRECTORY}"
      COMMAND "${XHAL_KERNEL_CLANG}" --target=x86_64-pc-linux-gnu -shared -nostdlib "--ld-path=${XHAL_KERNEL_LD_LLD}"
        -Wl,-soname,${file} -Wl,-z,defs,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections ${objects}
        "${target_dir}/native_barriers.o" "${target_dir}/native_image.o" -lm -lc -o "${PACK_OUTPUT_DIRECTORY}/${file}"
      DEPENDS ${objects} "${target_dir}/native_barriers.o" "${target_dir}/native_image.o"
      COMMENT "Kernel pack ${PACK_NAME}: ${file}"
      VERBATIM)
  endforeach()
  set(PACK_IMAGES "${targets}" PARENT_SCOPE)
  set(PACK_LIST "${pack_list}" PARENT_SCOPE)
endfunction()

include("${CMAKE_CURRENT_LIST_DIR}/XhalKernelsPortable.cmake")
