#pragma once

#include "host/base/result.hpp"
#include "host/machine/machine.hpp"
#include "host/raft/types.hpp"

#include <string>

namespace quorate::group {

// What a host must know to start a member, kept in the log store under the group's id.
struct Registration {
    GroupId group;
    std::string name;
    Epoch epoch;
    MemberId member;
    machine::MachineRef machine;
    raft::Membership initial;  // when the member was created; the log and snapshots say what it is now
    friend bool operator==(const Registration&, const Registration&) = default;
};

Bytes encode(const Registration& registration);
// Errc::format_unknown or corrupt.
Result<Registration> decode_registration(ByteView bytes);

}  // namespace quorate::group
