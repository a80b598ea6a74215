# SPDX-License-Identifier: Apache-2.0
# Functions that make drivers and layers, in this tree and (installed with the package) out of it.
#
#   xhal_add_driver(<name> SOURCES <file>... [MANIFEST <file.json.in>] [LIBS <target>...] [ROOT <dir>] [NO_INSTALL])
#   xhal_add_layer(<name>  SOURCES <file>... [MANIFEST <file.json.in>] [LIBS <target>...] [ROOT <dir>] [NO_INSTALL])
#
# make the MODULE library target xhal_driver_<name> (xhal_layer_<name>), file <ROOT>/lib/xhal/libxhal_driver_<name>.so, that
#   - exports one symbol, xhal_driver_negotiate (xhal_layer_negotiate), by a version script,
#   - contains libstdc++ and libgcc, so that it needs nothing but libc (not under sanitizers, whose runtime wants shared ones),
#   - links xhal::driver_kit (a layer too: negotiation is the same) and whatever LIBS names,
# and configure the manifest to <ROOT>/share/xhal/drivers.d/<name>.json (layers.d), replacing
#   @XHAL_LIBRARY@       path of the library relative to the manifest's folder
#   @XHAL_LIBRARY_FILE@  its file name alone
#   @XHAL_NAME@, @PROJECT_VERSION@ and every other variable of the caller.
# ROOT is the build folder unless given (test drivers live in a root of their own, where only their test looks).
# Both files are installed unless NO_INSTALL or ROOT is given.
#
#   xhal_self_contained(<target> VERSION_SCRIPT <file>)
#
# gives any shared library the same linkage: hidden symbols, static C++ runtime, no undefined symbols, relro and bind-now.

include_guard(GLOBAL)

set(XHAL_VERSION_SCRIPT_DIR "${CMAKE_CURRENT_LIST_DIR}" CACHE INTERNAL "")

function(xhal_self_contained target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION_SCRIPT" "")
  if(NOT arg_VERSION_SCRIPT)
    message(FATAL_ERROR "xhal_self_contained(${target}): name the VERSION_SCRIPT that lists what is exported")
  endif()
  set_target_properties(${target} PROPERTIES
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${arg_VERSION_SCRIPT}")
  target_link_options(${target} PRIVATE
    "LINKER:--version-script=${arg_VERSION_SCRIPT}" LINKER:--exclude-libs,ALL LINKER:-z,relro LINKER:-z,now LINKER:--as-needed)
  if(NOT XHAL_SANITIZE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc LINKER:-z,defs)
  endif()
  set_property(GLOBAL APPEND PROPERTY XHAL_SELF_CONTAINED_TARGETS ${target})
endfunction()

# One manifest for the build tree, one for the install tree: the way from manifest to library may differ between them.
function(xhal_configure_manifest template output manifest_dir library_dir library_file)
  file(RELATIVE_PATH relative_dir "${manifest_dir}" "${library_dir}")
  set(XHAL_LIBRARY_FILE "${library_file}")
  set(XHAL_LIBRARY "${relative_dir}/${library_file}")
  configure_file("${template}" "${output}" @ONLY)
endfunction()

function(xhal_add_module kind name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "NO_INSTALL" "MANIFEST;ROOT" "SOURCES;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "xhal_add_${kind}(${name}): SOURCES is missing or an argument is unknown: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  set(target "xhal_${kind}_${name}")
  set(root "${PROJECT_BINARY_DIR}")
  set(install TRUE)
  if(arg_ROOT)
    set(root "${arg_ROOT}")
    set(install FALSE)
  endif()
  if(arg_NO_INSTALL)
    set(install FALSE)
  endif()

  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "lib" INSTALL_RPATH "" LIBRARY_OUTPUT_DIRECTORY "${root}/lib/xhal")
  target_compile_features(${target} PRIVATE c_std_11 cxx_std_20)
  target_link_libraries(${target} PRIVATE xhal::driver_kit ${arg_LIBS})
  if(TARGET xhal_warnings)
    target_link_libraries(${target} PRIVATE xhal_warnings)
  endif()
  xhal_self_contained(${target} VERSION_SCRIPT "${XHAL_VERSION_SCRIPT_DIR}/xhal_${kind}.map")

  include(GNUInstallDirs)
  set(module_dir "${CMAKE_INSTALL_LIBDIR}/xhal")
  set(manifest_dir "${CMAKE_INSTALL_DATADIR}/xhal/${kind}s.d")
  set(library_file "libxhal_${kind}_${name}.so")
  if(install)
    install(TARGETS ${target} LIBRARY DESTINATION "${module_dir}" COMPONENT runtime)
  endif()
  if(arg_MANIFEST)
    get_filename_component(template "${arg_MANIFEST}" ABSOLUTE)
    set(XHAL_NAME "${name}")
    xhal_configure_manifest("${template}" "${root}/share/xhal/${kind}s.d/${name}.json"
      "${root}/share/xhal/${kind}s.d" "${root}/lib/xhal" "${library_file}")
    if(install)
      set(installed_manifest "${CMAKE_CURRENT_BINARY_DIR}/installed_manifests/${name}.json")
      xhal_configure_manifest("${template}" "${installed_manifest}"
        "${CMAKE_INSTALL_PREFIX}/${manifest_dir}" "${CMAKE_INSTALL_PREFIX}/${module_dir}" "${library_file}")
      install(FILES "${installed_manifest}" DESTINATION "${manifest_dir}" COMPONENT runtime)
    endif()
  endif()
endfunction()

macro(xhal_add_driver name)
  xhal_add_module(driver ${name} ${ARGN})
endmacro()

macro(xhal_add_layer name)
  xhal_add_module(layer ${name} ${ARGN})
endmacro()
