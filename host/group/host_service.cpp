#include "host/group/admin.hpp"
#include "host/group/host_shard.hpp"
#include "host/group/names.hpp"

#include <utility>

// The calls of HostService: each is kept to its deadline and answered once, whatever its operation does.
namespace quorate::group {

template <class T>
void HostShard::carry_out(std::string what, Time deadline, Reply<T> done,
                          std::function<Operation<Result<T>>()> operation) {
    std::string where = what + " by host " + quoted(name());
    if (!serving()) return done(within(where, not_serving()));
    if (now() >= deadline) {
        return done(
            fail(Errc::deadline_exceeded, where + ": the deadline had come before it began"));
    }
    Reply<T> once = calls_.open<T>(std::move(where), deadline, std::move(done));
    operations_.run<Result<T>>(operation(), std::move(once));
}

void HostShard::open_group(const std::string& name, Time deadline,
                           Reply<std::shared_ptr<GroupPort>> done) {
    carry_out<std::shared_ptr<GroupPort>>(
        "open group " + quoted(name), deadline, std::move(done),
        [this, name, deadline] { return group::open_group(*this, name, deadline); });
}

void HostShard::create_group(CreateGroup request, Time deadline, Reply<GroupLocation> done) {
    carry_out<GroupLocation>("create group " + quoted(request.name), deadline, std::move(done),
                             [this, &request, deadline] {
                                 return group::create_group(*this, std::move(request), deadline);
                             });
}

void HostShard::delete_group(const std::string& name, Time deadline, Reply<Done> done) {
    carry_out<Done>("delete group " + quoted(name), deadline, std::move(done),
                    [this, name, deadline] { return group::delete_group(*this, name, deadline); });
}

void HostShard::list_members(Time deadline, Reply<std::vector<MemberAnswer>> done) {
    carry_out<std::vector<MemberAnswer>>(
        "list members", deadline, std::move(done),
        [this, deadline] { return group::list_members(*this, deadline); });
}

void HostShard::group_members(const std::string& name, bool state_hash, Time deadline,
                              Reply<std::vector<MemberAnswer>> done) {
    carry_out<std::vector<MemberAnswer>>("list members of group " + quoted(name), deadline,
                                         std::move(done), [this, name, state_hash, deadline] {
                                             return group::group_members(*this, name, state_hash,
                                                                         deadline);
                                         });
}

void HostShard::add_member(const std::string& group, const HostName& host, raft::VoteKind kind,
                           Time deadline, Reply<EntryId> done) {
    MemberChange change{group, host, kind, deadline};
    carry_out<EntryId>("add host " + quoted(host) + " to group " + quoted(group), deadline,
                       std::move(done),
                       [this, change] { return group::add_member(*this, change); });
}

void HostShard::remove_member(const std::string& group, const HostName& host, Time deadline,
                              Reply<EntryId> done) {
    MemberChange change{group, host, raft::VoteKind::voter, deadline};
    carry_out<EntryId>("remove host " + quoted(host) + " from group " + quoted(group), deadline,
                       std::move(done),
                       [this, change] { return group::remove_member(*this, change); });
}

void HostShard::transfer_leadership(const std::string& group, const HostName& to, Time deadline,
                                    Reply<Done> done) {
    MemberChange change{group, to, raft::VoteKind::voter, deadline};
    carry_out<Done>("transfer leadership of group " + quoted(group), deadline, std::move(done),
                    [this, change] { return group::transfer_leadership(*this, change); });
}

void HostShard::stop_member(const std::string& group, const HostName& host, Time deadline,
                            Reply<Done> done) {
    MemberChange which{group, host, raft::VoteKind::voter, deadline};
    carry_out<Done>("stop the member of group " + quoted(group) + " on host " + quoted(host),
                    deadline, std::move(done),
                    [this, which] { return group::stop_member(*this, which); });
}

void HostShard::start_member(const std::string& group, const HostName& host, Time deadline,
                             Reply<Done> done) {
    MemberChange which{group, host, raft::VoteKind::voter, deadline};
    carry_out<Done>("start the member of group " + quoted(group) + " on host " + quoted(host),
                    deadline, std::move(done),
                    [this, which] { return group::start_member(*this, which); });
}

void HostShard::trigger_election(const std::string& group, const HostName& host, Time deadline,
                                 Reply<Done> done) {
    MemberChange which{group, host, raft::VoteKind::voter, deadline};
    carry_out<Done>(
        "have the member of group " + quoted(group) + " on host " + quoted(host) + " campaign",
        deadline, std::move(done), [this, which] { return group::trigger_election(*this, which); });
}

void HostShard::take_snapshot(const std::string& group, const HostName& host, Time deadline,
                              Reply<std::vector<SnapshotSummary>> done) {
    carry_out<std::vector<SnapshotSummary>>("take snapshots of group " + quoted(group), deadline,
                                            std::move(done), [this, group, host, deadline] {
                                                return group::take_snapshot(*this, group, host,
                                                                            deadline);
                                            });
}

void HostShard::list_snapshots(const std::string& group, Time deadline,
                               Reply<std::vector<SnapshotSummary>> done) {
    carry_out<std::vector<SnapshotSummary>>(
        "list snapshots of group " + quoted(group), deadline, std::move(done),
        [this, group, deadline] { return group::list_snapshots(*this, group, deadline); });
}

void HostShard::install_plugin(Bytes image, Time deadline, Reply<std::vector<PluginSummary>> done) {
    carry_out<std::vector<PluginSummary>>("install plugin", deadline, std::move(done),
                                          [this, image = std::move(image), deadline] {
                                              return group::install_plugin(*this, image, deadline);
                                          });
}

void HostShard::list_plugins(Time deadline, Reply<std::vector<PluginSummary>> done) {
    carry_out<std::vector<PluginSummary>>(
        "list plugins", deadline, std::move(done),
        [this, deadline] { return group::list_plugins(*this, deadline); });
}

void HostShard::list_hosts(Time deadline, Reply<std::vector<HostSummary>> done) {
    carry_out<std::vector<HostSummary>>("list hosts", deadline, std::move(done), [this, deadline] {
        return group::list_hosts(*this, deadline);
    });
}

void HostShard::ping_host(const HostName& host, Time deadline, Reply<Duration> done) {
    carry_out<Duration>("ping host " + quoted(host), deadline, std::move(done),
                        [this, host, deadline] { return group::ping_host(*this, host, deadline); });
}

}  // namespace quorate::group
