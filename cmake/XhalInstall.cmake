# SPDX-License-Identifier: Apache-2.0
# The package: find_package(xhal 0.1) gives xhal::xhal, xhal::headers, xhal::driver_kit, xhal::caching and the functions of
# XhalTargets.cmake; pkg-config --cflags --libs xhal gives the same to everyone else. Both find themselves relative to their own
# file, so that an installed tree may be moved as a whole.
include(CMakePackageConfigHelpers)

foreach(target IN ITEMS xhal_headers xhal_warnings xhal_driver_kit xhal xhal_caching)
  if(TARGET ${target})
    string(REGEX REPLACE "^xhal_" "" export_name ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${export_name})
    install(TARGETS ${target} EXPORT xhal_exports
      LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
      ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
      INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  endif()
endforeach()
install(EXPORT xhal_exports FILE xhal-exports.cmake NAMESPACE xhal:: DESTINATION "${XHAL_INSTALL_CMAKEDIR}" COMPONENT development)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/xhalConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/cmake/xhalConfig.cmake" INSTALL_DESTINATION "${XHAL_INSTALL_CMAKEDIR}"
  NO_SET_AND_CHECK_MACRO)
# 0.x: an equal minor is compatible, another one is not.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/xhalConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cmake/xhalConfig.cmake" "${PROJECT_BINARY_DIR}/cmake/xhalConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/XhalTargets.cmake" "${PROJECT_SOURCE_DIR}/cmake/xhal_driver.map"
  "${PROJECT_SOURCE_DIR}/cmake/xhal_layer.map"
  DESTINATION "${XHAL_INSTALL_CMAKEDIR}" COMPONENT development)

file(RELATIVE_PATH XHAL_PC_TO_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/xhal.pc.in" "${PROJECT_BINARY_DIR}/cmake/xhal.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cmake/xhal.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
