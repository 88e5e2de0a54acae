#pragma once

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/machine/manifest.hpp"

#include <string>
#include <vector>

namespace quorate::machine {

// What can be known of a plugin without running any of its code.
struct Inspection {
    Manifest manifest;
    // Libraries it needs beyond the C and C++ run time. Two plugins that bring different libraries
    // of one name silently share the first, so these deserve a warning.
    std::vector<std::string> foreign_libraries;
};

// Every check of a plugin's file that comes before it is loaded. Errors begin with
// "plugin <id> <version>: " as soon as that is known.
// Errc::plugin_truncated, plugin_not_a_plugin: as read_elf() and parse_manifest().
// Errc::plugin_abi: another ABI, or a host extension that this host has not.
// Errc::plugin_symbol_missing: no entry symbol. Errc::plugin_symbols_leak: more than that is
// exported, or a symbol is process-wide.
// Thread: any. Pure.
Result<Inspection> inspect(ByteView file);

// Errc::plugin_abi if a plugin built with headers of this `abi` (QR_ABI) cannot run here. A newer
// minor version is fine: tables carry their sizes both ways.
Result<void> check_abi(std::uint32_t abi);

}  // namespace quorate::machine
