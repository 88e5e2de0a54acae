# quorate_add_plugin(NAME SOURCES files...
#                    [LIBRARIES targets...]       static libraries only: see below
#                    [OUTPUT_DIRECTORY folder]    default <build>/plugins
#                    [BUILD text]                 source revision, shown to people
#                    [STATIC]                     also make NAME_static
#                    [UNCHECKED])                 do not look at the linked file
#
# Makes the target NAME_plugin, a plugin NAME.so for `quorate plugin install`. With STATIC also
# NAME_static: the same sources as a static library whose entry is qr_plugin_entry_v1_NAME (see
# QR_DECLARE_STATIC_PLUGIN), for tests under any sanitizer or debugger.
#
# The flags are load-bearing. Without hidden visibility, the version script and -fno-gnu-unique two
# plugins, or two builds of one, silently share C++ statics and virtual tables, and the second runs the
# first one's code. -z defs makes the linker name a missing symbol which else ends the host at its first
# call. -ffp-contract=off keeps floating point equal on all members. What a plugin depends on is linked
# statically: of two shared libraries with one name the second plugin would silently get the first's.
#
# Works in this tree and from find_package(quorate COMPONENTS sdk).
set(QUORATE_PLUGIN_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")

function(quorate_add_plugin name)
    cmake_parse_arguments(arg "STATIC;UNCHECKED" "OUTPUT_DIRECTORY;BUILD" "SOURCES;LIBRARIES" ${ARGN})
    if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "quorate_add_plugin(${name}): SOURCES missing, or unknown words: "
            "${arg_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT arg_OUTPUT_DIRECTORY)
        set(arg_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/plugins")
    endif()
    quorate_refuse_nondeterministic_flags(${name})

    add_library(${name}_plugin MODULE ${arg_SOURCES})
    set_target_properties(${name}_plugin PROPERTIES
        PREFIX "" OUTPUT_NAME "${name}" SUFFIX ".so"
        LIBRARY_OUTPUT_DIRECTORY "${arg_OUTPUT_DIRECTORY}"
        LINK_DEPENDS "${QUORATE_PLUGIN_CMAKE_DIR}/quorate_plugin.map")
    quorate_plugin_compile(${name}_plugin "${arg_BUILD}" "${arg_LIBRARIES}")
    target_link_options(${name}_plugin PRIVATE
        "LINKER:--version-script=${QUORATE_PLUGIN_CMAKE_DIR}/quorate_plugin.map"
        LINKER:--exclude-libs,ALL LINKER:-z,now LINKER:--build-id=sha1 LINKER:--as-needed)
    # A sanitizer's runtime comes with the host's executable, so its symbols are undefined here.
    quorate_plugin_is_sanitized(sanitized)
    if(NOT sanitized)
        target_link_options(${name}_plugin PRIVATE LINKER:-z,defs)
    endif()
    if(NOT arg_UNCHECKED)
        add_custom_command(TARGET ${name}_plugin POST_BUILD VERBATIM
            COMMAND "${CMAKE_COMMAND}" "-DPLUGIN=$<TARGET_FILE:${name}_plugin>" "-DNM=${CMAKE_NM}"
                "-DREADELF=${CMAKE_READELF}" -P "${QUORATE_PLUGIN_CMAKE_DIR}/check_plugin.cmake")
    endif()

    if(arg_STATIC)
        add_library(${name}_static STATIC ${arg_SOURCES})
        quorate_plugin_compile(${name}_static "${arg_BUILD}" "${arg_LIBRARIES}")
        target_compile_definitions(${name}_static PRIVATE QUORATE_STATIC=${name})
        target_link_libraries(${name}_static PUBLIC quorate::sdk)
        add_library(quorate::${name}_static ALIAS ${name}_static)
    endif()
endfunction()

# What the plugin and its static variant have in common.
function(quorate_plugin_compile target build libraries)
    set_target_properties(${target} PROPERTIES
        CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
        POSITION_INDEPENDENT_CODE ON C_EXTENSIONS OFF CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE -ffp-contract=off
        $<$<CXX_COMPILER_ID:GNU>:$<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>>)
    target_compile_definitions(${target} PRIVATE "QR_PLUGIN_BUILD=\"${build}\"")
    target_link_libraries(${target} PRIVATE quorate::sdk ${libraries})
    if(TARGET quorate::options)
        target_link_libraries(${target} PRIVATE quorate::options)
    endif()
endfunction()

function(quorate_plugin_is_sanitized out)
    set(${out} FALSE PARENT_SCOPE)
    string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
    if(QUORATE_SANITIZE OR "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}" MATCHES "-fsanitize=")
        set(${out} TRUE PARENT_SCOPE)
    endif()
endfunction()

function(quorate_refuse_nondeterministic_flags name)
    string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
    get_directory_property(options COMPILE_OPTIONS)
    foreach(flag -ffast-math -Ofast -march=native -funsafe-math-optimizations)
        if("${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}} ${CMAKE_C_FLAGS} ${options}" MATCHES "${flag}")
            message(FATAL_ERROR "quorate_add_plugin(${name}): ${flag} lets members on different machines "
                "compute different results; build plugins without it")
        endif()
    endforeach()
endfunction()
