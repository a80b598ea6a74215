# SPDX-License-Identifier: Apache-2.0
# Run by xhal_build_info_refresh at every build: cmake -DSOURCE_DIR= -DVERSION= -DTEMPLATE= -DOUTPUT= -P generate.cmake
set(XHAL_COMMIT "unknown")
set(XHAL_DIRTY "false")

# In a checkout git knows; .git is asked for so that the commit of a surrounding repository is never reported as ours.
find_program(GIT git)
if(GIT AND EXISTS "${SOURCE_DIR}/.git")
  execute_process(COMMAND "${GIT}" -C "${SOURCE_DIR}" rev-parse --verify HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(XHAL_COMMIT "${commit}")
    execute_process(COMMAND "${GIT}" -C "${SOURCE_DIR}" --no-optional-locks status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes ERROR_QUIET)
    if(NOT changes STREQUAL "")
      set(XHAL_DIRTY "true")
    endif()
  endif()
else()
  # `git archive` writes the commit into this file (see .gitattributes); elsewhere it still holds the placeholder.
  file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/archive_commit.txt" commit LIMIT_COUNT 1)
  if(commit MATCHES "^[0-9a-f]+$")
    set(XHAL_COMMIT "${commit}")
  endif()
endif()

configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
