#pragma once

#include "host/group/host_shard.hpp"

#include <string>

namespace quorate::group {

// Where a group is, from this host's own member if that knows a leader, else from whoever of the
// reachable hosts first tells of one, else from any member.
// Errc::no_such_group: a majority of the known hosts answered and none carries it; unreachable: too
// few answered to tell.
Operation<Result<GroupLocation>> locate_group(HostShard& shard, std::string name, Time deadline);

// The leader's own status, from its host. Waits for a leader until the deadline.
// Errc::no_such_group at once; no_leader, unreachable at the deadline.
Operation<Result<MemberStatus>> find_leader(HostShard& shard, std::string name, Time deadline);

// What this host's member knows. Thread: the shard of the group.
GroupLocation location_of(const Group& member);

// A request that the leader of the group must carry out: finds it, asks it, and follows it when it
// moves, until the deadline. Repeats even what may have been carried out, so the request must be one
// that does nothing the second time.
struct LeaderRequest {
    std::string name;
    Time deadline;
    // Makes the request for each attempt; an error ends it.
    std::function<Result<RequestBody>(const MemberStatus& leader)> body;
};
struct LeaderAnswer {
    Result<ResponseBody> result;
    MemberStatus leader;        // as it was when it was last asked
    bool maybe_before = false;  // an attempt before the last one may have been carried out
};
Operation<LeaderAnswer> ask_leader(HostShard& shard, LeaderRequest request);

}  // namespace quorate::group
