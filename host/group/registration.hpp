#pragma once

#include "host/base/result.hpp"
#include "host/machine/machine.hpp"
#include "host/raft/types.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quorate::group {

// Where a member's machine stands still, and the builds of it that got no further. Kept, so that a
// restart does not begin with a build that is known to fail.
struct Standstill {
    Index at;                         // the entry that none of them got past; 0: the machine runs
    std::vector<std::string> builds;  // SHA-256, hex
    // What was applied before, by the build that came furthest: a reply to it may have been given,
    // so a build that takes over must repeat it.
    Index reached;  // 0: nothing
    std::uint64_t outcome_hash = 0;
    friend bool operator==(const Standstill&, const Standstill&) = default;
};

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
    Standstill standstill;
    friend bool operator==(const Registration&, const Registration&) = default;
};

Bytes encode(const Registration& registration);
// Errc::format_unknown or corrupt.
Result<Registration> decode_registration(ByteView bytes);

}  // namespace quorate::group
