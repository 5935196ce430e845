# Flags that every source of the project is compiled with.

add_library(sal_build_flags INTERFACE)
# Multiply-add is fused only where the code says so: results must not depend on the compiler.
target_compile_options(sal_build_flags INTERFACE -ffp-contract=off -fno-math-errno)

if(SALIENCE_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "SALIENCE_FUZZ needs clang (libFuzzer): -DCMAKE_C_COMPILER=clang-14")
    endif()
    set(sanitize "${SALIENCE_SANITIZE}")
    list(APPEND sanitize_all fuzzer-no-link ${sanitize})
    list(JOIN sanitize_all "," sanitize)
else()
    set(sanitize "${SALIENCE_SANITIZE}")
endif()
if(sanitize)
    target_compile_options(sal_build_flags INTERFACE
        -fsanitize=${sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(sal_build_flags INTERFACE -fsanitize=${sanitize})
endif()
if(SALIENCE_COVERAGE)
    target_compile_options(sal_build_flags INTERFACE --coverage -g)
    target_link_options(sal_build_flags INTERFACE --coverage)
endif()

add_library(sal_warnings INTERFACE)
target_compile_options(sal_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wcast-qual
    -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wformat=2
    $<$<BOOL:${SALIENCE_WERROR}>:-Werror>)
