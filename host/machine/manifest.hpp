#pragma once

#include "host/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::machine {

inline constexpr std::size_t max_machines = 64;  // of one plugin

// A machine type, as its plugin's manifest declares it.
struct MachineManifest {
    std::string name;
    std::string kind;  // memory, kv or external
    std::uint32_t version_min = 0;
    std::uint32_t version_max = 0;
    std::vector<std::string> commands;  // text commands, a usage line each: "put KEY VALUE"
    std::vector<std::string> queries;
    friend bool operator==(const MachineManifest&, const MachineManifest&) = default;
};

// What a plugin says of itself (sdk/include/quorate/manifest.h).
struct Manifest {
    std::string id;       // 1 to 128 of a-z A-Z 0-9 . _ -
    std::string version;  // 1 to 64 of the same and +
    std::string build;    // source revision, for people; may be empty
    std::uint32_t abi = 0;
    std::string sdk;
    std::vector<MachineManifest> machines;         // at least one; names are unique
    std::vector<std::string> requires_extensions;  // host extensions without which it declines
    std::string json;                              // as it stands in the note
    friend bool operator==(const Manifest&, const Manifest&) = default;
};

// Reads a manifest; members it does not know are ignored.
// Errc::plugin_not_a_plugin: malformed, names the place or the member.
// Thread: any. Pure.
Result<Manifest> parse_manifest(std::string_view json);

// The manifest as JSON, for plugins that carry no note because they are linked statically.
std::string write_manifest(const Manifest& manifest);

// "quorate.kv 0.1.0"
std::string title(const Manifest& manifest);

// The machine type of that name, or null.
const MachineManifest* find_machine(const Manifest& manifest, std::string_view name);

}  // namespace quorate::machine
