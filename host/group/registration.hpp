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
    raft::Membership
        initial;  // when the member was created; the log and snapshots say what it is now
    // Not 0: the log had to be begun anew although this member may have promised entries up to here, so
    // it must stay recovering until it holds them again.
    Index recover_past;
    friend bool operator==(const Registration&, const Registration&) = default;
};

Bytes encode(const Registration& registration);
// Errc::format_unknown or corrupt.
Result<Registration> decode_registration(ByteView bytes);

}  // namespace quorate::group
