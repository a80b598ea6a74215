# SPDX-License-Identifier: Apache-2.0
#
#   xhal_add_test(NAME <name> SOURCES <file>... [LIBS <target>...] [LABELS <label>...] [ARGS <arg>...] [TIMEOUT <seconds>])
#
# makes the GoogleTest program <name> in <build>/tests/bin and one ctest test, <name>.<Suite>.<Case>, of each of its cases, with a
# deadline each (60 s unless given; longer under sanitizers). ARGS are passed to the program at every run.
#
#   xhal_add_command_test(NAME <name> COMMAND <program> <arg>... [EXIT_CODE <n>] [STDOUT <regex>] [STDERR <regex>]
#                         [NOT_STDOUT <regex>] [NOT_STDERR <regex>] [ENVIRONMENT <NAME=value>...] [LABELS <label>...] [TIMEOUT <seconds>]
#                         [WORKING_DIRECTORY <dir>])
#
# runs a program and asserts all that is given at once: its exit code (0 unless given) and extended regular expressions that a
# line of its output must, or must not, match. (CTest's own PASS_REGULAR_EXPRESSION would switch the exit code off.)
# No argument may hold a semicolon (CMake's list separator): put such a command into a script.
# A target's name as the first word of COMMAND is replaced by its file.
#
# Every XHAL_ variable of the caller's environment is removed before a command test, so that a developer's settings cannot
# change its result. LABELS: the subject (unit, abi, loader, kernels, conformance, house, ...), and `plain` for what is pointless or
# impossible under sanitizers (valgrind, ABI dumps, scripts): such a test does not exist in a sanitizer's build. `sampled` marks what
# the sanitizer lanes of `make test` choose from; nightly lanes run everything.

include_guard(GLOBAL)

set(XHAL_COMMAND_TEST_RUNNER "${CMAKE_CURRENT_LIST_DIR}/run_command_test.sh" CACHE INTERNAL "")

if(XHAL_BUILD_TESTS)
  enable_testing()
  find_package(GTest 1.12 REQUIRED)
  include(GoogleTest)
endif()

# GoogleTest's templates take half of the whole build at -O2 -g; the code under test keeps the preset's flags.
set(XHAL_TEST_COMPILE_OPTIONS "-O1;-g1" CACHE STRING "Options of test sources in RelWithDebInfo builds")

set(XHAL_TEST_SAMPLE "" CACHE STRING "i/n: of the test programs labelled sampled only every n-th, from the i-th; other tests: none")

# Whether a test with these labels is left out of this build. Programs of the sample take turns; commands all belong to it.
function(xhal_left_out out is_program labels)
  set(${out} FALSE PARENT_SCOPE)
  if(XHAL_SANITIZE AND "plain" IN_LIST labels)
    set(${out} TRUE PARENT_SCOPE)
  elseif(XHAL_TEST_SAMPLE AND NOT "sampled" IN_LIST labels)
    set(${out} TRUE PARENT_SCOPE)
  elseif(XHAL_TEST_SAMPLE AND is_program)
    if(NOT XHAL_TEST_SAMPLE MATCHES "^([1-9][0-9]*)/([1-9][0-9]*)$")
      message(FATAL_ERROR "XHAL_TEST_SAMPLE: '${XHAL_TEST_SAMPLE}' is not of the form i/n, as in 1/2")
    endif()
    get_property(counted GLOBAL PROPERTY XHAL_SAMPLED_PROGRAMS)
    if(NOT counted)
      set(counted 0)
    endif()
    math(EXPR turn "(${counted} % ${CMAKE_MATCH_2}) + 1")
    math(EXPR counted "${counted} + 1")
    set_property(GLOBAL PROPERTY XHAL_SAMPLED_PROGRAMS ${counted})
    if(NOT turn EQUAL CMAKE_MATCH_1)
      set(${out} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()

function(xhal_scaled_timeout out seconds)
  if(NOT seconds)
    set(seconds 60)
  endif()
  math(EXPR seconds "${seconds} * ${XHAL_TEST_TIMEOUT_SCALE}")
  set(${out} ${seconds} PARENT_SCOPE)
endfunction()

function(xhal_add_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS;ARGS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES)
    message(FATAL_ERROR "xhal_add_test(${arg_NAME}): NAME or SOURCES is missing, or unknown: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT XHAL_BUILD_TESTS)
    return()
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS} GTest::gtest GTest::gtest_main xhal_warnings)
  target_compile_options(${arg_NAME} PRIVATE "$<$<CONFIG:RelWithDebInfo>:${XHAL_TEST_COMPILE_OPTIONS}>")
  xhal_left_out(left_out TRUE "${arg_LABELS}")
  if(left_out)
    # The target stays, since its caller may go on with it.
    set_target_properties(${arg_NAME} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    return()
  endif()
  xhal_scaled_timeout(timeout "${arg_TIMEOUT}")
  gtest_discover_tests(${arg_NAME}
    TEST_PREFIX "${arg_NAME}."
    NO_PRETTY_VALUES
    EXTRA_ARGS ${arg_ARGS}
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${timeout})
  # gtest_discover_tests keeps the first of several labels only, so they are set afterwards, when ctest reads its files.
  set(labels_file "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_labels.cmake")
  file(CONFIGURE OUTPUT "${labels_file}" @ONLY CONTENT [[
foreach(test IN LISTS @arg_NAME@_TESTS)
  set_tests_properties("${test}" PROPERTIES LABELS "@arg_LABELS@")
endforeach()
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${labels_file}")
endfunction()

function(xhal_add_command_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;EXIT_CODE;STDOUT;STDERR;NOT_STDOUT;NOT_STDERR;TIMEOUT;WORKING_DIRECTORY"
    "COMMAND;ENVIRONMENT;LABELS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_COMMAND)
    message(FATAL_ERROR "xhal_add_command_test(${arg_NAME}): NAME or COMMAND is missing, or unknown: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  xhal_left_out(left_out FALSE "${arg_LABELS}")
  if(NOT XHAL_BUILD_TESTS OR left_out)
    return()
  endif()
  list(POP_FRONT arg_COMMAND program)
  if(TARGET ${program})
    set(program "$<TARGET_FILE:${program}>")
  endif()
  set(checks)
  if(DEFINED arg_EXIT_CODE)
    list(APPEND checks --exit "${arg_EXIT_CODE}")
  endif()
  foreach(check IN ITEMS STDOUT STDERR NOT_STDOUT NOT_STDERR)
    if(DEFINED arg_${check})
      string(TOLOWER "${check}" flag)
      string(REPLACE "_" "-" flag "${flag}")
      list(APPEND checks "--${flag}" "${arg_${check}}")
    endif()
  endforeach()
  foreach(setting IN LISTS arg_ENVIRONMENT)
    list(APPEND checks --env "${setting}")
  endforeach()
  if(NOT arg_WORKING_DIRECTORY)
    set(arg_WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  xhal_scaled_timeout(timeout "${arg_TIMEOUT}")
  add_test(NAME ${arg_NAME}
    COMMAND bash "${XHAL_COMMAND_TEST_RUNNER}" ${checks} -- ${program} ${arg_COMMAND}
    WORKING_DIRECTORY "${arg_WORKING_DIRECTORY}")
  set_tests_properties(${arg_NAME} PROPERTIES TIMEOUT ${timeout} LABELS "${arg_LABELS}")
endfunction()
