# Flags and language level of every target here. Targets link quorate::options, never set flags globally.
option(QUORATE_WERROR "Treat warnings as errors" ON)
set(QUORATE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Several sources of a target are compiled as one, because most of a compiler's time goes into headers and
# into templates that each source instantiates anew (docs/decisions/0009). A target still sees only the
# include roots of what it links. The debug preset compiles each source alone: what it includes must suffice.
option(QUORATE_UNITY "Compile up to eight sources of a target at a time" ON)
set(CMAKE_UNITY_BUILD ${QUORATE_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

# Paths are hashed relative to the source tree, so that a fresh clone finds what another has compiled.
find_program(QUORATE_CCACHE ccache)
if(QUORATE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(launcher "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1
        "${QUORATE_CCACHE}")
    set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()

add_library(quorate_options INTERFACE)
add_library(quorate::options ALIAS quorate_options)
target_compile_options(quorate_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>
    $<$<BOOL:${QUORATE_WERROR}>:-Werror>)
if(QUORATE_UNITY)
    # It takes what is in a source's anonymous namespace for what a header declares.
    target_compile_options(quorate_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()
# __FILE__ is a path within the source tree: in what tests print, and so that ccache knows it elsewhere.
target_compile_options(quorate_options INTERFACE "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")
find_program(QUORATE_MOLD ld.mold)
if(QUORATE_MOLD)
    target_link_options(quorate_options INTERFACE -fuse-ld=mold)
endif()
if(QUORATE_SANITIZE)
    target_compile_options(quorate_options INTERFACE
        -fsanitize=${QUORATE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
        -fno-sanitize=vptr,null)  # half of the compile time; a null pointer traps without it
    target_link_options(quorate_options INTERFACE -fsanitize=${QUORATE_SANITIZE})
endif()
