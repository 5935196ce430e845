# Libraries that Salience stands on. Each becomes an INTERFACE target sal_<what>.
# SAL_LINK_LIBRARIES: what the libraries link with here. SAL_LINK_NAMES: the same for users of the
# installed static library. SAL_PC_REQUIRES, SAL_PC_LIBS: the same for pkg-config.

set(hint "install it, or run scripts/deps")
find_package(PkgConfig REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
pkg_check_modules(PNG QUIET IMPORTED_TARGET libpng)
pkg_check_modules(ZLIB QUIET IMPORTED_TARGET zlib)
pkg_check_modules(JPEG QUIET IMPORTED_TARGET libjpeg)
pkg_check_modules(WEBP QUIET IMPORTED_TARGET libwebp)
pkg_check_modules(JANSSON QUIET IMPORTED_TARGET jansson)
pkg_check_modules(PCRE2 QUIET IMPORTED_TARGET libpcre2-32)
pkg_check_modules(UTF8PROC QUIET IMPORTED_TARGET libutf8proc)
pkg_check_modules(PROTOBUF_C QUIET IMPORTED_TARGET libprotobuf-c)
foreach(lib PNG ZLIB JPEG WEBP JANSSON PCRE2 UTF8PROC PROTOBUF_C)
    if(NOT ${lib}_FOUND)
        message(FATAL_ERROR "${lib} is missing: ${hint}")
    endif()
endforeach()

add_library(sal_images INTERFACE)
target_link_libraries(sal_images INTERFACE PkgConfig::PNG PkgConfig::ZLIB PkgConfig::JPEG PkgConfig::WEBP)
add_library(sal_json INTERFACE)
target_link_libraries(sal_json INTERFACE PkgConfig::JANSSON)
add_library(sal_text INTERFACE)
target_link_libraries(sal_text INTERFACE PkgConfig::PCRE2 PkgConfig::UTF8PROC)

find_package(OneDNN 3 REQUIRED)
add_library(sal_dnnl INTERFACE)
target_link_libraries(sal_dnnl INTERFACE OneDNN::dnnl)

# ---- the ONNX schema: generated from the system's onnx.proto ------------------------------------

find_program(PROTOC_C NAMES protoc-c)
# Files in the wild use the "ml" variant; where both exist it is the larger schema of the two.
find_file(ONNX_PROTO NAMES onnx-ml.proto onnx.proto PATH_SUFFIXES include/onnx onnx)
if(NOT PROTOC_C)
    message(FATAL_ERROR "protoc-c (protobuf-c-compiler) is missing: ${hint}")
endif()
if(NOT ONNX_PROTO)
    message(FATAL_ERROR "onnx.proto (libonnx-dev) is missing: ${hint}")
endif()
set(schema_dir ${PROJECT_BINARY_DIR}/schema)
file(MAKE_DIRECTORY ${schema_dir})
add_custom_command(
    OUTPUT ${schema_dir}/onnx.pb-c.c ${schema_dir}/onnx.pb-c.h
    # Copied under one name, so that the generated names do not depend on the variant.
    COMMAND ${CMAKE_COMMAND} -E copy ${ONNX_PROTO} ${schema_dir}/onnx.proto
    COMMAND ${PROTOC_C} --c_out=${schema_dir} -I${schema_dir} onnx.proto
    DEPENDS ${ONNX_PROTO} VERBATIM
    COMMENT "Generating the ONNX schema")
add_library(sal_onnx_schema_objects OBJECT ${schema_dir}/onnx.pb-c.c ${schema_dir}/onnx.pb-c.h)
target_include_directories(sal_onnx_schema_objects SYSTEM PUBLIC ${schema_dir})
target_compile_options(sal_onnx_schema_objects PRIVATE -w)
target_link_libraries(sal_onnx_schema_objects PUBLIC PkgConfig::PROTOBUF_C PRIVATE sal_build_flags)
add_library(sal_onnx_schema INTERFACE)
target_include_directories(sal_onnx_schema SYSTEM INTERFACE ${schema_dir})
target_link_libraries(sal_onnx_schema INTERFACE PkgConfig::PROTOBUF_C)
add_dependencies(sal_onnx_schema sal_onnx_schema_objects)
set_property(GLOBAL APPEND PROPERTY SAL_LAYER_OBJECTS $<TARGET_OBJECTS:sal_onnx_schema_objects>)

# ---- for the linker -----------------------------------------------------------------------------

find_package(Threads REQUIRED)
set(SAL_LINK_LIBRARIES OneDNN::dnnl PkgConfig::PNG PkgConfig::ZLIB PkgConfig::JPEG PkgConfig::WEBP
    PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::PROTOBUF_C OpenMP::OpenMP_C Threads::Threads m)
set(SAL_PC_REQUIRES "libpng zlib libjpeg libwebp jansson libpcre2-32 libutf8proc libprotobuf-c")
set(SAL_PC_LIBS "${ONEDNN_LINK_NAME} ${OpenMP_C_FLAGS} -pthread -lm")
set(SAL_LINK_NAMES png z jpeg webp jansson pcre2-32 utf8proc protobuf-c ${ONEDNN_LINK_NAME} ${OpenMP_C_FLAGS} -pthread m)
