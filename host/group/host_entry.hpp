#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace quorate::group {

// The payload of an entry of kind `host`: replicated state of the driver itself
// (docs/formats/log.md).   u8 version (1) | u8 kind | nothing more for the kinds below
enum class HostEntry : std::uint8_t {
    end_of_life = 1,  // the group ends: nothing after this entry is applied, each member goes
};

Bytes encode(HostEntry entry);
// Nothing if it is malformed or of a kind that this build does not know: it must not be skipped,
// since other members act on it.
std::optional<HostEntry> parse_host_entry(ByteView payload);

}  // namespace quorate::group
