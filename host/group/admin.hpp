#pragma once

#include "host/group/host_shard.hpp"

#include <string>
#include <vector>

// The operations on groups, hosts and plugins, each from its first check to its answer. What
// HostService says of a call holds here; a caller's deadline is kept by HostShard, so an operation that
// has more to do (taking back what it began) may run on after its answer.
// Thread: any one shard; they reach members and other hosts by requests only.
namespace quorate::group {

Operation<Result<std::shared_ptr<GroupPort>>> open_group(HostShard& shard, std::string name,
                                                         Time deadline);

Operation<Result<GroupLocation>> create_group(HostShard& shard, CreateGroup wanted, Time deadline);
Operation<Result<Done>> delete_group(HostShard& shard, std::string name, Time deadline);

struct MemberChange {
    std::string group;
    HostName host;
    raft::VoteKind kind = raft::VoteKind::voter;  // add only
    Time deadline;
};
Operation<Result<EntryId>> add_member(HostShard& shard, MemberChange change);
Operation<Result<EntryId>> remove_member(HostShard& shard, MemberChange change);
Operation<Result<Done>> transfer_leadership(HostShard& shard, MemberChange change);

// Of the one member that lives on the named host.
Operation<Result<Done>> stop_member(HostShard& shard, MemberChange which);
Operation<Result<Done>> start_member(HostShard& shard, MemberChange which);
Operation<Result<Done>> trigger_election(HostShard& shard, MemberChange which);

Operation<Result<std::vector<MemberAnswer>>> list_members(HostShard& shard, Time deadline);
Operation<Result<std::vector<MemberAnswer>>> group_members(HostShard& shard, std::string name,
                                                           bool state_hash, Time deadline);
// `host` empty: all members.
Operation<Result<std::vector<SnapshotSummary>>> take_snapshot(HostShard& shard, std::string name,
                                                              HostName host, Time deadline);
Operation<Result<std::vector<SnapshotSummary>>> list_snapshots(HostShard& shard, std::string name,
                                                               Time deadline);

Operation<Result<std::vector<PluginSummary>>> install_plugin(HostShard& shard, Bytes image,
                                                             Time deadline);
Operation<Result<std::vector<PluginSummary>>> list_plugins(HostShard& shard, Time deadline);

Operation<Result<std::vector<HostSummary>>> list_hosts(HostShard& shard, Time deadline);
Operation<Result<Duration>> ping_host(HostShard& shard, HostName host, Time deadline);

// Errc::no_such_host unless the directory has met it.
Result<void> check_host(HostShard& shard, const HostName& host);

}  // namespace quorate::group
