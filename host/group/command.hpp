#pragma once

#include "host/base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace quorate::group {

// The header in front of every command's payload in the log (docs/formats/log.md): 16 bytes, so
// that the command behind it stays 8-byte aligned.
//   u8 version (1) | u8 flags (0) | u16 0 | u32 0 | i64 time_ms, little endian
struct CommandHeader {
    std::int64_t time_ms = 0;  // the clock of the host that took the command
};
inline constexpr std::size_t command_header_bytes = 16;

// Header and command in one new buffer: the one copy between socket and log.
Bytes make_command(CommandHeader header, ByteView command);

struct ParsedCommand {
    CommandHeader header;
    ByteView command;
};
// Nothing if the payload is shorter than its header or of another version.
std::optional<ParsedCommand> parse_command(ByteView payload);

}  // namespace quorate::group
