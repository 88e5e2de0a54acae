#include "host/group/registration.hpp"

#include "host/group/fields.hpp"
#include "host/raft/membership.hpp"

namespace quorate::group {
namespace {

constexpr std::uint8_t version = 1;

}  // namespace

Bytes encode(const Registration& registration) {
    FieldWriter out;
    out.u8(version).u64(registration.group.value()).text(registration.name);
    out.u64(registration.epoch.value()).u64(registration.member.value());
    out.text(registration.machine.plugin).text(registration.machine.build);
    out.text(registration.machine.machine).u64(registration.machine.version);
    out.blob(raft::encode(registration.initial).view());
    out.u64(registration.recover_past.value());
    return std::move(out).take();
}

Result<Registration> decode_registration(ByteView bytes) {
    FieldReader in(bytes);
    if (std::uint8_t found = in.u8(); found != version) {
        return fail(Errc::format_unknown, "a member's registration has format " +
                                              std::to_string(found) + ", this build reads " +
                                              std::to_string(version));
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
