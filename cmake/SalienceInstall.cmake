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

# The program prints its manual and its completions from the tables it parses with.
if(TARGET salience_program AND NOT CMAKE_CROSSCOMPILING AND NOT SALIENCE_SANITIZE AND NOT SALIENCE_FUZZ)
    set(made ${PROJECT_BINARY_DIR}/manual)
    file(MAKE_DIRECTORY ${made})
    add_custom_command(
        OUTPUT ${made}/salience.1 ${made}/salience ${made}/_salience ${made}/salience.fish
        COMMAND salience_program --man > ${made}/salience.1
        COMMAND salience_program --completion bash > ${made}/salience
        COMMAND salience_program --completion zsh > ${made}/_salience
        COMMAND salience_program --completion fish > ${made}/salience.fish
        DEPENDS salience_program VERBATIM COMMENT "Printing the manual and the completions")
    add_custom_target(salience_manual ALL DEPENDS ${made}/salience.1)
    install(FILES ${made}/salience.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${made}/salience DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${made}/_salience DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${made}/salience.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
