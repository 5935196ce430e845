# make install: libraries, headers, program, pkg-config file, CMake package, manual, completion.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/salience)

install(TARGETS salience salience_static EXPORT salience-targets
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/salience DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT salience-targets NAMESPACE salience:: DESTINATION ${package_dir})
if(ONEDNN_BUNDLED)
    # The linker found libdnnl.so.3 in .deps; the installed library finds it beside itself.
    file(REAL_PATH ${ONEDNN_BUNDLED} bundled)
    install(PROGRAMS ${bundled} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME libdnnl.so.3)
    get_filename_component(bundled_dir ${bundled} DIRECTORY)
    install(DIRECTORY ${bundled_dir}/../doc/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/onednn)
endif()

configure_package_config_file(cmake/salience-config.cmake.in ${PROJECT_BINARY_DIR}/salience-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/salience-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/salience-config.cmake
    ${PROJECT_BINARY_DIR}/salience-config-version.cmake DESTINATION ${package_dir})

configure_file(cmake/salience.pc.in ${PROJECT_BINARY_DIR}/salience.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/salience.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY share/labels scripts/pull DESTINATION ${CMAKE_INSTALL_DATADIR}/salience
    PATTERN __pycache__ EXCLUDE)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET salience_program)
    install(TARGETS salience_program DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
