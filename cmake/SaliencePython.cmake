# The Python package: BUILD/python/salience is the package as it runs from the build tree (PYTHONPATH=BUILD/python);
# the install component `python` is the same for a wheel, with the libraries, the program and the class names inside.

option(SALIENCE_PYTHON_PACKAGE "Put the Python package together" ON)
if(SALIENCE_SANITIZE OR SALIENCE_FUZZ OR SALIENCE_COVERAGE)
    set(SALIENCE_PYTHON_PACKAGE OFF) # a Python that is not instrumented cannot load the library
endif()
find_package(Python3 3.9 COMPONENTS Interpreter)
if(NOT SALIENCE_PYTHON_PACKAGE OR NOT Python3_Interpreter_FOUND)
    return()
endif()

set(package ${PROJECT_BINARY_DIR}/python/salience)
file(MAKE_DIRECTORY ${package}/lib ${package}/bin ${package}/share)
file(GLOB python_sources RELATIVE ${PROJECT_SOURCE_DIR}/python CONFIGURE_DEPENDS
    python/salience/*.py python/salience/py.typed python/salience/adapters/*.py)
foreach(source ${python_sources})
    get_filename_component(folder ${source} DIRECTORY)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/python/${folder})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/python/${source} ${PROJECT_BINARY_DIR}/python/${source} SYMBOLIC)
endforeach()
set(soname libsalience.so.${PROJECT_VERSION_MAJOR})
file(CREATE_LINK ${PROJECT_BINARY_DIR}/${soname} ${package}/lib/${soname} SYMBOLIC)
file(CREATE_LINK ${PROJECT_BINARY_DIR}/bin/salience ${package}/bin/salience SYMBOLIC)
file(CREATE_LINK ${PROJECT_BINARY_DIR}/bin/${data_from_program} ${package}/share/salience SYMBOLIC)

# Declarations from the headers, and types from the tables of the library that was built: neither can be out of date.
file(GLOB python_headers CONFIGURE_DEPENDS include/salience/*.h)
set(abi_script ${PROJECT_SOURCE_DIR}/scripts/gen/python_abi.py)
set(types_script ${PROJECT_SOURCE_DIR}/scripts/gen/python_types.py)
add_custom_command(
    OUTPUT ${package}/_abi.py
    COMMAND ${Python3_EXECUTABLE} ${abi_script} ${CMAKE_C_COMPILER} ${PROJECT_SOURCE_DIR}/include
        -o ${package}/_abi.py
    DEPENDS ${abi_script} ${python_headers} VERBATIM COMMENT "Declaring the C interface for Python")
add_custom_command(
    OUTPUT ${package}/_types.pyi
    COMMAND ${CMAKE_COMMAND} -E env PYTHONPATH=${PROJECT_BINARY_DIR}/python PYTHONDONTWRITEBYTECODE=1
        ${Python3_EXECUTABLE} ${types_script} -o ${package}/_types.pyi
    DEPENDS ${types_script} ${package}/_abi.py salience ${PROJECT_SOURCE_DIR}/python/salience/_catalogue.py
    VERBATIM COMMENT "Writing the types of the methods for Python")
add_custom_target(salience_python ALL DEPENDS ${package}/_abi.py ${package}/_types.pyi)

# The folder of the package is laid out like an installed tree: bin/ lib/ share/salience.
set(python_root salience)
foreach(source ${python_sources})
    get_filename_component(folder ${source} DIRECTORY)
    install(FILES python/${source} DESTINATION ${folder} COMPONENT python EXCLUDE_FROM_ALL)
endforeach()
install(FILES ${package}/_abi.py ${package}/_types.pyi DESTINATION ${python_root}
    COMPONENT python EXCLUDE_FROM_ALL)
if(SKBUILD)
    # A wheel holds no links: the library has one name, that which programs look for.
    set_target_properties(salience PROPERTIES VERSION ${PROJECT_VERSION_MAJOR})
endif()
install(TARGETS salience LIBRARY DESTINATION ${python_root}/lib NAMELINK_SKIP
    COMPONENT python EXCLUDE_FROM_ALL)
if(TARGET salience_program AND CMAKE_INSTALL_LIBDIR STREQUAL "lib")
    install(TARGETS salience_program DESTINATION ${python_root}/bin COMPONENT python EXCLUDE_FROM_ALL)
endif()
if(ONEDNN_BUNDLED)
    file(REAL_PATH ${ONEDNN_BUNDLED} bundled)
    install(PROGRAMS ${bundled} DESTINATION ${python_root}/lib RENAME libdnnl.so.3
        COMPONENT python EXCLUDE_FROM_ALL)
    get_filename_component(bundled_dir ${bundled} DIRECTORY)
    foreach(doc ${bundled_dir}/../doc ${bundled_dir}/../share/doc/onednn)
        if(EXISTS ${doc}/LICENSE)
            install(DIRECTORY ${doc}/ DESTINATION ${python_root}/share/doc/onednn
                COMPONENT python EXCLUDE_FROM_ALL)
        endif()
    endforeach()
endif()
install(DIRECTORY share/labels scripts/pull DESTINATION ${python_root}/share/salience
    COMPONENT python EXCLUDE_FROM_ALL PATTERN __pycache__ EXCLUDE)
