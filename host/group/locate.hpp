#pragma once

#include "host/group/host_shard.hpp"

#include <string>

namespace quorate::group {

// Where the group of this name is. This host's own member decides if it knows a leader; else the reachable
// hosts are asked, until one has told of a leader and the others had a moment to tell of another
// group. What a minority of a group's members without a leader say does not count beside a group that
// is more: it may be what a deletion has left.
// Errc::no_such_group: a majority of all hosts answered and none carries it; no_quorum: too few
// answered to tell; group_exists: several groups have the name, and the answer names them.
Operation<Result<GroupLocation>> locate_group(HostShard& shard, std::string name, Time deadline);

// Where this very group is, from whoever first tells of its leader, else from any member. Errors as above;
// no_such_group also if the name is another group's now.
Operation<Result<GroupLocation>> locate_group(HostShard& shard, GroupKey group, Time deadline);

// The leader's own status, from its host. Waits for a leader until the deadline.
// Errc::no_such_group and group_exists (locate_group()) at once; no_leader at the deadline.
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
