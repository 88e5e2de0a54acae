#include "host/group/command.hpp"

#include "host/group/fields.hpp"

#include <cstring>

namespace quorate::group {
namespace {

constexpr std::uint8_t command_version = 1;

}  // namespace

Bytes make_command(CommandHeader header, ByteView command) {
    auto buffer =
        std::make_shared_for_overwrite<std::byte[]>(command_header_bytes + command.size());
    std::memset(buffer.get(), 0, command_header_bytes);
    buffer[0] = std::byte{command_version};
    put_u64(buffer.get() + 8, static_cast<std::uint64_t>(header.time_ms));
    if (!command.empty()) {
        std::memcpy(buffer.get() + command_header_bytes, command.data(), command.size());
    }
    ByteView view(buffer.get(), command_header_bytes + command.size());
    return {std::move(buffer), view};
}

std::optional<ParsedCommand> parse_command(ByteView payload) {
    if (payload.size() < command_header_bytes) return std::nullopt;
    // What this version keeps zero belongs to a later one, which this build could only misread.
    if (payload[0] != std::byte{command_version}) return std::nullopt;
    for (std::size_t i = 1; i < 8; ++i) {
        if (payload[i] != std::byte{0}) return std::nullopt;
    }
    return ParsedCommand{{static_cast<std::int64_t>(get_u64(payload.data() + 8))},
                         payload.subspan(command_header_bytes)};
}

}  // namespace quorate::group
