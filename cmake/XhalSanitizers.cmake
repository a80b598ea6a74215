# SPDX-License-Identifier: Apache-2.0
# XHAL_SANITIZE=address;undefined or thread: the whole tree is built with it, since a process holds one runtime.

set(XHAL_SANITIZE "" CACHE STRING "Sanitizers of the whole tree: 'address;undefined', 'thread', or empty")

set(XHAL_TEST_TIMEOUT_SCALE 1)
if(XHAL_SANITIZE)
  set(xhal_known_sanitizers address undefined leak thread)
  foreach(sanitizer IN LISTS XHAL_SANITIZE)
    if(NOT sanitizer IN_LIST xhal_known_sanitizers)
      message(FATAL_ERROR "XHAL_SANITIZE: '${sanitizer}' is unknown; use one or more of: ${xhal_known_sanitizers}")
    endif()
  endforeach()
  if("thread" IN_LIST XHAL_SANITIZE AND "address" IN_LIST XHAL_SANITIZE)
    message(FATAL_ERROR "XHAL_SANITIZE: 'thread' and 'address' exclude each other; make two build folders")
  endif()
  string(REPLACE ";" "," xhal_sanitizer_list "${XHAL_SANITIZE}")
  # no-sanitize-recover: a finding ends the program with an error, else a test would print it and pass.
  add_compile_options(-fsanitize=${xhal_sanitizer_list} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${xhal_sanitizer_list})
  set(XHAL_TEST_TIMEOUT_SCALE 5)
  message(STATUS "xhal: sanitizers ${xhal_sanitizer_list}; test time-outs x${XHAL_TEST_TIMEOUT_SCALE}")
endif()
