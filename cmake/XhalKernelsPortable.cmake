# SPDX-License-Identifier: Apache-2.0
# The recipes of the formats that a device's own compiler finishes. XhalKernels.cmake includes this file and holds the contract of a recipe.

# Extensions that a source may use where `#ifdef` finds them, see kernels/src/xhal_element.h.
set(XHAL_KERNEL_OPTIONAL_EXTENSIONS -cl_khr_fp64,-cl_khr_int64_base_atomics,-cl_khr_int64_extended_atomics CACHE INTERNAL "")

# The OpenCL C version that the source is written in, of its options.
function(xhal_kernel_source_version out source)
  set(version 1.2)
  xhal_kernel_source_options(options "${source}")
  foreach(option IN LISTS options)
    if(option MATCHES "^-cl-std=CL([0-9.]+)$")
      set(version "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

# ---- opencl-c: one text for each version of OpenCL C ------------------------------------------------------------------------
# All sources that the version allows, with their headers in place. Macros of the pack's -D stand in the text, as nobody gives a device's compiler
# any; what clang says about the text follows the pack's -W. Conditions are left as they are, so that a device without an optional
# extension gets the kernels that need none: each text is compiled here for a device with all of them and for one with none.
function(xhal_kernel_format_opencl_c)
  xhal_kernel_missing_tools(missing clang)
  if(missing)
    set(PACK_MISSING "${missing} (Debian package clang-15)" PARENT_SCOPE)
    return()
  endif()
  set(in_text)
  set(warnings)
  foreach(option IN LISTS PACK_COMPILE_OPTIONS)
    if(option MATCHES "^-[DI].")
      list(APPEND in_text "${option}")
    elseif(option MATCHES "^-W")
      list(APPEND warnings "${option}")
    elseif(NOT option MATCHES "^-cl-std=")
      message(FATAL_ERROR "xhal_add_kernel_pack(${PACK_NAME}): the format opencl-c has no place for the option ${option}, only for -D, -I, -W and -cl-std")
    endif()
  endforeach()
  list(TRANSFORM XHAL_KERNEL_SOURCE_INCLUDE_DIRS PREPEND "-I" OUTPUT_VARIABLE folders)

  file(MAKE_DIRECTORY "${PACK_BUILD_DIRECTORY}")
  set(targets)
  set(lists)
  foreach(target IN ITEMS 1.2 2.0)
    set(sources)
    foreach(source IN LISTS PACK_SOURCES)
      get_source_file_property(own "${source}" COMPILE_OPTIONS)
      if(own MATCHES "(^|;)-[DI]")
        message(FATAL_ERROR "xhal_add_kernel_pack(${PACK_NAME}): ${source} has macros or folders of its own, which the format opencl-c has no place for")
      endif()
      xhal_kernel_source_version(version "${source}")
      if(version VERSION_LESS_EQUAL target)
        list(APPEND sources "${source}")
      endif()
    endforeach()
    if(NOT sources)
      continue()
    endif()
    set(base "${PACK_BUILD_DIRECTORY}/${target}")
    set(image "${PACK_OUTPUT_DIRECTORY}/${PACK_NAME}_pack.opencl-c.${target}.cl")
    # Functions of headers that this pack has no use for are no mistake.
    set(compile "${XHAL_KERNEL_CLANG}" -x cl -cl-std=CL${target} --target=spir64 -Xclang -finclude-default-header
      ${warnings} -Wno-unused-function "${base}.cl")
    add_custom_command(OUTPUT "${base}.cl" "${base}.list" "${image}"
      COMMAND xhal-kernelgen text "${base}.cl" "${base}.d" ${folders} ${in_text} ${sources}
      COMMAND ${compile} -O1 -Xclang -disable-llvm-passes -S -emit-llvm -o "${base}.ll"
      COMMAND ${compile} -Xclang -cl-ext=${XHAL_KERNEL_OPTIONAL_EXTENSIONS} -fsyntax-only
      COMMAND xhal-kernelgen names "${base}.ll" "${base}.list" "${PACK_NAME} in OpenCL C ${target}"
      COMMAND "${CMAKE_COMMAND}" -E make_directory "${PACK_OUTPUT_DIRECTORY}"
      COMMAND "${CMAKE_COMMAND}" -E copy "${base}.cl" "${image}"
      DEPENDS ${sources} xhal-kernelgen
      DEPFILE "${base}.d"
      COMMENT "Kernel pack ${PACK_NAME}: OpenCL C ${target}"
      VERBATIM)
    list(APPEND targets ${target})
    list(APPEND lists "${base}.list")
  endforeach()
  set(PACK_IMAGES "${targets}" PARENT_SCOPE)
  set(PACK_LIST "${lists}" PARENT_SCOPE)
  set(PACK_SUFFIX .cl PARENT_SCOPE)
endfunction()

# ---- spirv: one module for OpenCL 1.2 ---------------------------------------------------------------------------------------
# -O2, since what clang makes at -O1 is refused by the validator; no vectors, which are the device's business and which llvm-spirv cannot
# reduce. Names and types of parameters stay, for whoever asks the device for them.
# Two cases of a switch that lead to one block give it a predecessor twice, which SPIR-V does not know: switches become branches.
# Of OpenCL 1.2's environment the validator knows no extension, so it judges the whole module by the rules of SPIR-V, and by
# OpenCL's what the sources give without 64-bit atomics.
function(xhal_kernel_format_spirv)
  xhal_kernel_missing_tools(missing clang opt llvm-link llvm-spirv spirv-val)
  if(missing)
    list(JOIN missing ", " missing)
    set(PACK_MISSING "${missing} (Debian packages clang-15 llvm-15 llvm-spirv-15 spirv-tools)" PARENT_SCOPE)
    return()
  endif()
  list(TRANSFORM XHAL_KERNEL_SOURCE_INCLUDE_DIRS PREPEND "-I" OUTPUT_VARIABLE folders)
  set(dir "${PACK_BUILD_DIRECTORY}")
  file(MAKE_DIRECTORY "${dir}")
  set(lower "${XHAL_KERNEL_OPT}" -S -passes=lowerswitch,instnamer)
  set(stems)
  set(lists)
  foreach(source IN LISTS PACK_SOURCES)
    xhal_kernel_source_version(version "${source}")
    if(version VERSION_GREATER 1.2)
      continue()
    endif()
    get_filename_component(stem "${source}" NAME_WE)
    get_filename_component(file_name "${source}" NAME)
    xhal_kernel_source_options(options "${source}")
    set(base "${dir}/${stem}")
    set(compile "${XHAL_KERNEL_CLANG}" -x cl -cl-std=CL1.2 --target=spir64 -O2 -fno-vectorize -fno-slp-vectorize -cl-kernel-arg-info
      -fno-discard-value-names -S -emit-llvm ${folders} ${options} "${source}")
    add_custom_command(OUTPUT "${base}.ll" "${base}.portable.ll" "${base}.list"
      COMMAND ${compile} -MD -MT "${base}.ll" -MF "${base}.d" -o "${base}.ll"
      COMMAND ${compile} -Xclang -cl-ext=-cl_khr_int64_base_atomics,-cl_khr_int64_extended_atomics -o "${base}.portable.ll"
      COMMAND ${lower} "${base}.ll" -o "${base}.ll"
      COMMAND ${lower} "${base}.portable.ll" -o "${base}.portable.ll"
      COMMAND xhal-kernelgen portable "${base}.ll"
      COMMAND xhal-kernelgen portable "${base}.portable.ll"
      COMMAND xhal-kernelgen names "${base}.ll" "${base}.list" "${file_name}"
      DEPENDS "${source}" xhal-kernelgen
      DEPFILE "${base}.d"
      COMMENT "Kernel pack ${PACK_NAME}: SPIR ${stem}"
      VERBATIM)
    list(APPEND stems "${stem}")
    list(APPEND lists "${base}.list")
  endforeach()
  if(NOT stems)
    set(PACK_MISSING "a source in OpenCL C 1.2" PARENT_SCOPE)
    return()
  endif()

  set(translate "${XHAL_KERNEL_LLVM_SPIRV}" --spirv-max-version=1.0 --preserve-ocl-kernel-arg-type-metadata-through-string)
  set(modules)
  set(portable)
  foreach(stem IN LISTS stems)
    list(APPEND modules "${dir}/${stem}.ll")
    list(APPEND portable "${dir}/${stem}.portable.ll")
  endforeach()
  set(image "${PACK_OUTPUT_DIRECTORY}/${PACK_NAME}_pack.spirv.1.0.spv")
  add_custom_command(OUTPUT "${dir}/pack.list" "${image}"
    COMMAND xhal-kernelgen join "${dir}/pack.list" ${lists}
    COMMAND "${XHAL_KERNEL_LLVM_LINK}" ${portable} -o "${dir}/portable.bc"
    COMMAND ${translate} "${dir}/portable.bc" -o "${dir}/portable.spv"
    COMMAND "${XHAL_KERNEL_SPIRV_VAL}" --target-env opencl1.2 "${dir}/portable.spv"
    COMMAND "${XHAL_KERNEL_LLVM_LINK}" ${modules} -o "${dir}/pack.bc"
    COMMAND ${translate} "${dir}/pack.bc" -o "${dir}/pack.spv"
    COMMAND "${XHAL_KERNEL_SPIRV_VAL}" --target-env spv1.0 "${dir}/pack.spv"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${PACK_OUTPUT_DIRECTORY}"
    COMMAND "${CMAKE_COMMAND}" -E copy "${dir}/pack.spv" "${image}"
    DEPENDS ${lists} ${modules} ${portable} xhal-kernelgen
    COMMENT "Kernel pack ${PACK_NAME}: SPIR-V 1.0"
    VERBATIM)
  set(PACK_IMAGES 1.0 PARENT_SCOPE)
  set(PACK_LIST "${dir}/pack.list" PARENT_SCOPE)
  set(PACK_SUFFIX .spv PARENT_SCOPE)
endfunction()
