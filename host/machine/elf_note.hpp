#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

// Reading a plugin before any of its code can run. dlopen() runs static constructors before it
// returns, so everything that can be known from the file's bytes is checked first, with every
// offset and count checked against the file (the format: System V ABI, chapters 4 and 5).
namespace quorate::machine {

// What the headers of a shared library say of it.
struct ElfSummary {
    std::string manifest;  // the descriptor of its one manifest note, without a final NUL
    std::vector<std::string> exports;  // names it defines for others, sorted
    std::vector<std::string>
        unique;  // those of them that are process-wide (STB_GNU_UNIQUE), sorted
    std::vector<std::string> needed;  // the libraries it asks for (DT_NEEDED), in the file's order
};

// The name and type that mark the manifest note among a library's notes.
struct NoteKind {
    std::string_view name;
    std::uint32_t type = 0;
};

// Reads a whole file. Pure; any bytes are safe input; time and memory are linear in its size.
// Errc::plugin_truncated: it is shorter than its own headers say.
// Errc::plugin_abi: a library for another processor or another word size.
// Errc::plugin_not_a_plugin: not a shared library, damaged headers, no manifest note or two.
// Thread: any.
Result<ElfSummary> read_elf(ByteView file, NoteKind note);

}  // namespace quorate::machine
