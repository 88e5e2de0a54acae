# cmake -DPLUGIN=file.so -DNM=nm -DREADELF=readelf -P check_plugin.cmake
# Refuses, right after the link, a plugin that a host would refuse to load.
execute_process(COMMAND "${NM}" -D --defined-only "${PLUGIN}" OUTPUT_VARIABLE symbols
    RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE)
if(failed)
    message(FATAL_ERROR "${PLUGIN}: ${NM} cannot read it")
endif()
if(NOT symbols MATCHES "^[0-9a-f]+ T qr_plugin_entry_v1$")
    message(FATAL_ERROR "${PLUGIN}: a plugin exports exactly one symbol, qr_plugin_entry_v1 "
        "(QUORATE_PLUGIN defines it); this one exports:\n${symbols}")
endif()
execute_process(COMMAND "${READELF}" -dnW "${PLUGIN}" OUTPUT_VARIABLE elf ERROR_QUIET)
if(NOT elf MATCHES "\n +Quorate ")
    message(FATAL_ERROR "${PLUGIN}: has no manifest note; use QUORATE_PLUGIN, or QR_MANIFEST in C")
endif()
string(REGEX MATCHALL "Shared library: \\[[^]]+\\]" needed "${elf}")
foreach(line IN LISTS needed)
    if(NOT line MATCHES "\\[(lib(c|m|stdc\\+\\+|gcc_s|pthread|dl|rt|asan|ubsan|tsan|lsan|c\\+\\+|c\\+\\+abi|unwind)|ld-linux[^]]*)\\.so\\.[0-9]+\\]")
        message(FATAL_ERROR "${PLUGIN}: ${line} is not part of the C or C++ runtime. Link it statically: "
            "two plugins that bring different versions would silently share the first one")
    endif()
endforeach()
