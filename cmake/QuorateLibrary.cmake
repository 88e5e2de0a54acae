# quorate_library(NAME SOURCES ... [PUBLIC targets ...] [PRIVATE targets ...])
#
# A static library `quorate::NAME` for the folder it is declared in. Its headers are seen by a
# target only if that target links it: each library exports an include root of its own that holds
# one link, <root>/<folder> -> the source folder. So an include that points against the arrows of
# ARCHITECTURE.md does not compile. Without SOURCES the library is header-only.
function(quorate_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    quorate_include_root(${name} root)
    set(target quorate_${name})
    if(arg_SOURCES)
        add_library(${target} STATIC ${arg_SOURCES})
        target_include_directories(${target} PUBLIC "${root}")
        target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} quorate::options)
    else()
        add_library(${target} INTERFACE)
        target_include_directories(${target} INTERFACE "${root}")
        target_link_libraries(${target} INTERFACE ${arg_PUBLIC})
    endif()
    add_library(quorate::${name} ALIAS ${target})
endfunction()

# Sets `out` to the include root of the current folder under the library's name, creating it.
function(quorate_include_root name out)
    file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
    cmake_path(GET folder PARENT_PATH parent)
    set(root "${CMAKE_BINARY_DIR}/include/${name}")
    file(MAKE_DIRECTORY "${root}/${parent}")
    if(NOT EXISTS "${root}/${folder}")
        file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${root}/${folder}" SYMBOLIC)
    endif()
    set(${out} "${root}" PARENT_SCOPE)
endfunction()

# quorate_test(NAME SOURCES ... [LINK targets ...] [LABEL label] [TIMEOUT seconds])
# A GoogleTest binary whose cases ctest knows one by one. Labels: unit (default),
# threads (unit tests that ThreadSanitizer sees, too), sim, cluster, slow.
function(quorate_test name)
    cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINK;DEFINITIONS" ${ARGN})
    if(NOT arg_LABEL)
        set(arg_LABEL unit)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LINK} quorate::options GTest::gtest GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
    # What `./dev asan` builds.
    if(arg_LABEL MATCHES "^(unit|threads)$")
        add_dependencies(unit_tests ${name})
    endif()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST
        PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT})
endfunction()
