# SPDX-License-Identifier: Apache-2.0
# What every target of the project shares: language levels, output layout, warnings, launcher.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  endif()
endif()

# libxhal finds its drivers relative to its own file, so a build tree and an install tree have one shape:
# bin/ lib/ lib/xhal/ share/xhal/. Debian's lib/<triplet> would break that shape; set CMAKE_INSTALL_LIBDIR to get it all the same.
set(CMAKE_INSTALL_LIBDIR "lib" CACHE PATH "Folder of libraries below the prefix")
include(GNUInstallDirs)
set(XHAL_INSTALL_MODULEDIR "${CMAKE_INSTALL_LIBDIR}/xhal")
set(XHAL_INSTALL_SHAREDIR "${CMAKE_INSTALL_DATADIR}/xhal")
set(XHAL_INSTALL_CMAKEDIR "${CMAKE_INSTALL_LIBDIR}/cmake/xhal")

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(XHAL_OUTPUT_SHAREDIR "${PROJECT_BINARY_DIR}/share/xhal")

set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
file(RELATIVE_PATH xhal_bin_to_lib "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
set(CMAKE_INSTALL_RPATH "$ORIGIN/${xhal_bin_to_lib}")

if(PROJECT_IS_TOP_LEVEL)
  find_program(XHAL_CCACHE ccache)
  mark_as_advanced(XHAL_CCACHE)
  foreach(language IN ITEMS C CXX)
    if(XHAL_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER "${XHAL_CCACHE}")
    endif()
  endforeach()
endif()

# Linked PRIVATE by every target of the project. The flags are for our build only; an installed static library that was
# built with them carries an empty xhal::warnings.
add_library(xhal_warnings INTERFACE)
set_target_properties(xhal_warnings PROPERTIES EXPORT_NAME warnings)
set(xhal_warning_flags -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(XHAL_WERROR)
  list(APPEND xhal_warning_flags -Werror)
endif()
target_compile_options(xhal_warnings INTERFACE "$<BUILD_INTERFACE:${xhal_warning_flags}>")
# At -O3 g++ 12 warns of overlapping copies inside std::string's operator+ (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(xhal_warnings INTERFACE "$<BUILD_INTERFACE:$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:Release>>:-Wno-restrict>>")
endif()
