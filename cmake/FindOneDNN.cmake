# oneDNN 3 as OneDNN::dnnl: the system's, else the one that scripts/deps unpacked.
# ONEDNN_BUNDLED: the library file to install beside ours, empty when it is the system's.
# ONEDNN_LINK_NAME: how a user of the installed static library names it.

if(NOT TARGET OneDNN::dnnl)
    find_package(dnnl 3 CONFIG QUIET)
    if(dnnl_FOUND)
        add_library(OneDNN::dnnl INTERFACE IMPORTED)
        target_link_libraries(OneDNN::dnnl INTERFACE DNNL::dnnl)
        set(ONEDNN_LOCATION ${dnnl_DIR})
        set(OneDNN_VERSION ${dnnl_VERSION})
        if(SKBUILD)
            # A build of the Python package: what comes from the build environment goes into the wheel.
            get_target_property(ONEDNN_BUNDLED DNNL::dnnl LOCATION)
        endif()
    else()
        if(DEFINED ENV{SALIENCE_DEPS})
            set(deps $ENV{SALIENCE_DEPS})
        else()
            set(deps ${PROJECT_SOURCE_DIR}/.deps)
        endif()
        set(header ${deps}/onednn/include/oneapi/dnnl/dnnl_version.h)
        set(ONEDNN_LOCATION ${deps}/onednn/lib/libdnnl.so.3)
        if(EXISTS ${header} AND EXISTS ${ONEDNN_LOCATION})
            file(STRINGS ${header} rows REGEX "^#define DNNL_VERSION_(MAJOR|MINOR|PATCH)")
            string(REGEX REPLACE "[^0-9;]" "" rows "${rows}")
            list(JOIN rows "." OneDNN_VERSION)
            add_library(OneDNN::dnnl SHARED IMPORTED)
            set_target_properties(OneDNN::dnnl PROPERTIES
                IMPORTED_LOCATION ${ONEDNN_LOCATION}
                INTERFACE_INCLUDE_DIRECTORIES ${deps}/onednn/include
                INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${deps}/onednn/include)
            set(ONEDNN_BUNDLED ${ONEDNN_LOCATION})
        else()
            unset(ONEDNN_LOCATION)
        endif()
    endif()
endif()
if(ONEDNN_BUNDLED)
    set(ONEDNN_LINK_NAME -l:libdnnl.so.3)
else()
    set(ONEDNN_LINK_NAME -ldnnl)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN
    REQUIRED_VARS ONEDNN_LOCATION VERSION_VAR OneDNN_VERSION
    REASON_FAILURE_MESSAGE "oneDNN 3 is missing: install it, or run scripts/deps")
