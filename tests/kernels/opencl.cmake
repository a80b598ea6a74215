# SPDX-License-Identifier: Apache-2.0
# The pack's portable images on OpenCL, where a device is there. Each test sees one platform, by a folder of its own, and has a cache of its own.
#
#   xhal_add_opencl_pack_test(NAME <name> LIBRARY <the platform's library> [ENVIRONMENT <NAME=value>...] [COMMAND <program>] [ARGS <arg>...] ...)
#
# runs opencl_pack_test, or the program, on it; what else is given goes to xhal_add_command_test.
find_path(XHAL_OPENCL_INCLUDE CL/cl.h)
find_library(XHAL_OPENCL_LOADER NAMES libOpenCL.so.1 OpenCL)
find_file(XHAL_POCL_ICD pocl.icd PATHS /etc/OpenCL/vendors)
find_library(XHAL_OCLGRIND_ICD oclgrind-rt-icd PATHS /usr/lib/oclgrind)
mark_as_advanced(XHAL_OPENCL_INCLUDE XHAL_OPENCL_LOADER XHAL_POCL_ICD XHAL_OCLGRIND_ICD)
if(NOT "opencl-c" IN_LIST formats OR NOT XHAL_OPENCL_INCLUDE OR NOT XHAL_OPENCL_LOADER)
  message(STATUS "xhal: tests of the kernels on OpenCL left out: no format opencl-c, or missing opencl-headers or ocl-icd-libopencl1")
  return()
endif()

find_package(nlohmann_json 3.11 REQUIRED)
add_executable(opencl_pack_test opencl_elements_test.cpp opencl_groups_test.cpp opencl_memory_test.cpp opencl_harness.cpp)
set_target_properties(opencl_pack_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
target_include_directories(opencl_pack_test SYSTEM PRIVATE "${XHAL_OPENCL_INCLUDE}")
target_link_libraries(opencl_pack_test PRIVATE xhal::kernel_oracles nlohmann_json::nlohmann_json GTest::gtest GTest::gtest_main
  ${CMAKE_DL_LIBS} xhal_warnings)
target_compile_options(opencl_pack_test PRIVATE "$<$<CONFIG:RelWithDebInfo>:${XHAL_TEST_COMPILE_OPTIONS}>")
target_compile_definitions(opencl_pack_test PRIVATE XHAL_KERNEL_DIR="${PROJECT_BINARY_DIR}/share/xhal/kernels")
add_dependencies(opencl_pack_test xhal_kernels)

function(xhal_add_opencl_pack_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LIBRARY" "ENVIRONMENT;ARGS;COMMAND")
  if(NOT arg_COMMAND)
    set(arg_COMMAND opencl_pack_test)
  endif()
  set(dir "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}")
  file(WRITE "${dir}/icd/only.icd" "${arg_LIBRARY}\n")
  file(MAKE_DIRECTORY "${dir}/cache")
  xhal_add_command_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND} ${arg_ARGS}
    ENVIRONMENT "OCL_ICD_VENDORS=${dir}/icd" "POCL_CACHE_DIR=${dir}/cache" ${arg_ENVIRONMENT}
    LABELS kernels opencl plain TIMEOUT 180 ${arg_UNPARSED_ARGUMENTS})
endfunction()

set(planted "$<TARGET_FILE:opencl_pack_test>" "${PROJECT_BINARY_DIR}/share/xhal/kernels")
if(XHAL_POCL_ICD)
  file(STRINGS "${XHAL_POCL_ICD}" pocl LIMIT_COUNT 1)
  foreach(target IN ITEMS 1.2 2.0)
    # A kernel compiled once for groups of every size: compiling for each takes most of the time otherwise.
    xhal_add_opencl_pack_test(NAME kernel_opencl.pocl_${target} LIBRARY "${pocl}"
      ENVIRONMENT POCL_DEVICES=pthread POCL_WORK_GROUP_SPECIALIZATION=0 OPENCL_TEST_IMAGE=opencl-c.${target}
      STDOUT "^\\[  PASSED  \\] 22 tests")
  endforeach()
  xhal_add_opencl_pack_test(NAME kernel_opencl.sees_a_planted_sign LIBRARY "${pocl}" COMMAND bash
    ARGS "${CMAKE_CURRENT_SOURCE_DIR}/opencl_planted.sh" sign ${planted} "${CMAKE_CURRENT_BINARY_DIR}/kernel_opencl.sees_a_planted_sign"
    ENVIRONMENT POCL_DEVICES=pthread POCL_WORK_GROUP_SPECIALIZATION=0 OPENCL_TEST_ITEMS=few OPENCL_TEST_IMAGE=opencl-c.1.2
    STDOUT "^the bug was seen$")
else()
  message(STATUS "xhal: tests of the kernels on PoCL left out: missing pocl-opencl-icd")
endif()

# Oclgrind ends with 0 whatever it found: what it writes is the verdict. Optimised code has intrinsics that it does not know.
if(XHAL_OCLGRIND_ICD)
  set(grind LIBRARY "${XHAL_OCLGRIND_ICD}"
    ENVIRONMENT OPENCL_TEST_ITEMS=few OCLGRIND_BUILD_OPTIONS=-cl-opt-disable OCLGRIND_DATA_RACES=1 OCLGRIND_UNINITIALIZED=1)
  xhal_add_opencl_pack_test(NAME kernel_opencl.oclgrind ${grind} STDOUT "^Oclgrind Simulator runs opencl-c.1.2" NOT_STDERR ".")
  xhal_add_opencl_pack_test(NAME kernel_opencl.oclgrind_sees_a_planted_race ${grind} COMMAND bash
    ARGS "${CMAKE_CURRENT_SOURCE_DIR}/opencl_planted.sh" barrier ${planted} "${CMAKE_CURRENT_BINARY_DIR}/kernel_opencl.oclgrind_sees_a_planted_race"
    STDOUT "^the bug was seen$")
else()
  message(STATUS "xhal: tests of the kernels on Oclgrind left out: missing oclgrind")
endif()
