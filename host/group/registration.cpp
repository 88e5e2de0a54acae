#include "host/group/registration.hpp"

#include "host/group/fields.hpp"
#include "host/raft/membership.hpp"

namespace quorate::group {
namespace {

// 2 ends with a standstill; written only where there is one, so that others stay as they were.
constexpr std::uint8_t version_plain = 1;
constexpr std::uint8_t version_standstill = 2;

void put(FieldWriter& out, const Standstill& standstill) {
    out.u64(standstill.at.value()).u64(standstill.reached.value()).u64(standstill.outcome_hash);
    out.u64(standstill.builds.size());
    for (const std::string& build : standstill.builds) out.text(build);
}

Standstill read_standstill(FieldReader& in) {
    Standstill read;
    read.at = Index(in.u64());
    read.reached = Index(in.u64());
    read.outcome_hash = in.u64();
    // A count that lies ends where the bytes do.
    for (std::uint64_t left = in.u64(); left > 0 && in.ok(); --left) {
        read.builds.push_back(in.text());
    }
    return read;
}

}  // namespace

Bytes encode(const Registration& registration) {
    FieldWriter out;
    bool stands_still = registration.standstill.at != Index{};
    out.u8(stands_still ? version_standstill : version_plain);
    out.u64(registration.group.value()).text(registration.name);
    out.u64(registration.epoch.value()).u64(registration.member.value());
    out.text(registration.machine.plugin).text(registration.machine.build);
    out.text(registration.machine.machine).u64(registration.machine.version);
    out.blob(raft::encode(registration.initial).view());
    out.u64(registration.recover_past.value());
    if (stands_still) put(out, registration.standstill);
    return std::move(out).take();
}

Result<Registration> decode_registration(ByteView bytes) {
    FieldReader in(bytes);
    std::uint8_t found = in.u8();
    if (found != version_plain && found != version_standstill) {
        return fail(Errc::format_unknown, "a member's registration has format " +
                                              std::to_string(found) + ", this build reads up to " +
                                              std::to_string(version_standstill));
    }
    Registration read;
    read.group = GroupId(in.u64());
    read.name = in.text();
    read.epoch = Epoch(in.u64());
    read.member = MemberId(in.u64());
    read.machine.plugin = in.text();
    read.machine.build = in.text();
    read.machine.machine = in.text();
    std::uint64_t machine_version = in.u64();
    std::optional<raft::Membership> initial = raft::decode_membership(in.blob());
    read.recover_past = Index(in.u64());
    if (found == version_standstill) read.standstill = read_standstill(in);
    if (!in.ok() || !in.at_end() || !initial || machine_version > UINT32_MAX || !read.group ||
        !read.member) {
        return fail(Errc::corrupt, "a member's registration of " + std::to_string(bytes.size()) +
                                       " bytes does not hold what its format says");
    }
    read.machine.version = static_cast<std::uint32_t>(machine_version);
    read.initial = std::move(*initial);
    return read;
}

}  // namespace quorate::group
