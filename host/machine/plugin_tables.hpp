#pragma once

#include "host/base/result.hpp"
#include "host/machine/image_ranges.hpp"
#include "host/machine/manifest.hpp"

#include <optional>
#include <quorate/plugin.h>
#include <string>
#include <vector>

namespace quorate::machine {

// A machine type as this host calls it: the plugin's table copied, as far as the plugin knows it,
// into a struct of our size, with a default function where the plugin offers none. So calls
// need no test of sizes or of null.
struct MachineType {
    qr_machine_type table{};
    const qr_machine_type* origin = nullptr;  // the plugin's own, for extension()
    std::string name;
    std::string title;  // for messages: "machine kv of quorate.kv 0.1.0 (build 3f9c12ab34cd)"
    bool has_text = false;
    qr_text text{};                     // all null unless has_text
    std::vector<std::string> commands;  // usage lines of the text extension
    std::vector<std::string> queries;
};

// What a plugin's entry function has returned, checked and copied.
struct PluginTables {
    qr_plugin table{};
    Manifest manifest;  // as the tables say it, but for what only the note holds
    std::vector<MachineType> machines;
};

// Reads a plugin's tables. Every pointer that the host will follow or call must lie in `image`.
// Runs the plugin's extension() functions. Thread: the loader's.
// Errc::plugin_pointer_outside; plugin_abi; plugin_refused: the tables break the contract, the text
// says how.
Result<PluginTables> read_tables(const qr_plugin* plugin, const ImageRanges& image);

// Errc::plugin_refused if the tables say something else than the note: the note was what decided
// that this build may be loaded.
Result<void> check_against_note(const PluginTables& tables, const Manifest& note);

}  // namespace quorate::machine
