#pragma once

#include "host/group/host_shard.hpp"

namespace quorate::group {

// A name for a group that is to be created. Until give_up_name() or the deadline, whichever comes first,
// no other group of that name can be created: a majority of all hosts has promised so.
struct NameClaim {
    std::string name;
    GroupId group;
    Time deadline;
    std::uint32_t round = 0;  // of the attempts made
};

// Tries again while another creator has the name, until most of the time is gone.
// Errc::group_exists: a host has a member of such a group; change_not_permitted: another creator has
// the name; no_quorum: fewer than a majority of the hosts answered.
Operation<Result<NameClaim>> reserve_name(HostShard& shard, NameClaim claim);

// Does not wait: what is not heard of runs out.
void give_up_name(HostShard& shard, const NameClaim& claim);

}  // namespace quorate::group
