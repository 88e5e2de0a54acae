#include "host/group/host_entry.hpp"

#include "host/group/fields.hpp"

namespace quorate::group {
namespace {

constexpr std::uint8_t host_entry_version = 1;

}  // namespace

Bytes encode(HostEntry entry) {
    FieldWriter out;
    out.u8(host_entry_version).u8(static_cast<std::uint8_t>(entry));
    return std::move(out).take();
}

std::optional<HostEntry> parse_host_entry(ByteView payload) {
    FieldReader in(payload);
    if (in.u8() != host_entry_version) return std::nullopt;
    auto kind = static_cast<HostEntry>(in.u8());
    if (!in.ok() || !in.at_end() || kind != HostEntry::end_of_life) return std::nullopt;
    return kind;
}

}  // namespace quorate::group
