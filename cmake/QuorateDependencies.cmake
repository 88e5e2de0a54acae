# Every package from outside, found once. docs/decisions says why each is here.
find_package(Threads REQUIRED)
find_package(Boost 1.81.0 EXACT CONFIG REQUIRED)
find_package(CapnProto 0.9 CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
include(QuorateWiredTiger)
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
    find_package(GTest REQUIRED)
    find_package(benchmark CONFIG QUIET)
    include(GoogleTest)
endif()

# Boost, with the choices made in docs/decisions: headers only, std::filesystem for Boost.DLL.
add_library(quorate_boost INTERFACE)
add_library(quorate::boost ALIAS quorate_boost)
target_link_libraries(quorate_boost INTERFACE Boost::headers Threads::Threads ${CMAKE_DL_LIBS})
target_compile_definitions(quorate_boost INTERFACE BOOST_DLL_USE_STD_FS BOOST_ASIO_NO_DEPRECATED
    # ThreadSanitizer knows no fences. Asio's stand around handlers, for programs that share a loop.
    $<$<STREQUAL:${QUORATE_SANITIZE},thread>:BOOST_ASIO_DISABLE_FENCED_BLOCK>)
