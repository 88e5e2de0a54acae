#pragma once

#include "host/base/result.hpp"
#include "host/machine/manifest.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quorate::machine {

// One installed build of a plugin.
struct PluginRecord {
    std::string build;  // SHA-256 of the file, hex
    Manifest manifest;
    std::uint64_t bytes = 0;  // of the file
    // Grows by one with each installation on this host; 0: unknown, the record had to be made anew.
    std::uint64_t installed = 0;
    friend bool operator==(const PluginRecord&, const PluginRecord&) = default;
};

// A record as the store keeps it beside the library: a line with the SHA-256 of what follows, then
// JSON. It only adds the order of installation to what the library says itself.
std::string encode(const PluginRecord& record);
// Errc::corrupt: the checksum or the form is wrong.
Result<PluginRecord> decode_record(std::string_view text);

// Whether `text` is a whole SHA-256 in lower-case hex.
bool is_build_name(std::string_view text);

// The record that a person means: an id (its newest installation), id@version (likewise), or at
// least 6 first digits of a build's SHA-256, with or without "sha256:" before them.
// Errc::plugin_not_found; request_invalid: the digits begin several builds.
Result<const PluginRecord*> find_plugin(std::span<const PluginRecord* const> records,
                                        std::string_view what);

}  // namespace quorate::machine
