#pragma once

#include "host/group/group.hpp"
#include "host/group/member_scheduler.hpp"
#include "host/group/transport.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

namespace quorate::group {

// Told by a shard about its members, never from within a member's own code. Thread: the shard.
class ShardObserver {
 public:
    virtual ~ShardObserver() = default;
    virtual void leader_known(GroupId group) = 0;
    virtual void machine_changed(GroupId group, const machine::MachineRef& machine) = 0;
    // The member left its group, or the group was deleted: it is to be erased.
    virtual void member_ended(GroupId group) = 0;
    // Members of groups that are here live there.
    virtual void host_shared(const HostName& host) = 0;
};

// The members that live on one event loop's thread: makes, stops and erases them, and hands each
// the messages that are for it. A group's shard follows from its id (Host), so a group is only
// ever looked for on one.
//
// Thread: the shard. Destroyed without stop(), it stands for a crash.
class Shard final : GroupLinks, GroupObserver {
 public:
    struct Environment {
        MemberScheduler& scheduler;  // of this shard's host: runs nothing once that is gone
        Transport& transport;
        storage::LogStore& log;
        storage::SnapshotStore& snapshots;
        machine::MachineFactory& machines;
        ShardObserver& observer;
        HostName host;
        SharedHostMemory memory;
    };
    Shard(Environment environment, GroupOptions options);
    ~Shard() override;

    // Makes the member durable and starts it; done when it has begun, for what others send it before that is
    // lost. Pre: none of this group is here. Errc::member_stopped if the shard stops meanwhile; then it
    // starts with the host.
    void create(Registration registration, Reply<Done> done);
    // Starts a member that the log store has. Pre: none of this group is here.
    Group& start(
        Registration registration, std::optional<storage::RecoveredLog> recovered,
        std::function<void()> begun = [] {});
    // Stops the member, which says no more than its status from then on, until restart() or the host's next
    // start. A leader hands over first. Fine if it was stopped. Pre: find(group).
    void halt(GroupId group, std::function<void()> done);
    // Starts a stopped member again, from what is on disk; done when it has begun. Errc::already_started,
    // member_stopped (it was erased meanwhile, or the shard stops), io, corrupt. Pre: find(group).
    void restart(GroupId group, Reply<Done> done);
    // Stops the member and erases all of it; done when that is durable. Pre: find(group).
    void erase(GroupId group, Reply<Done> done);
    // Null: none here, or on its way out. One that is stopped is here.
    Group* find(GroupId group) const;
    // The same for whoever wants more of it than its status: null for one that is stopped, too.
    Group* find_running(GroupId group) const;
    std::vector<Group*> all() const;

    // RaftEnvelope, SnapshotFetch, SnapshotPiece, LeaderCheck. Those for a group that is not here are
    // ignored.
    void receive(const HostName& from, PeerMessage message);
    std::uint64_t ignored() const { return ignored_; }
    void plugins_changed();
    // What shard 0 learnt of another host.
    void host_changed(const HostName& host, HostNews news);

    // Hands over what it leads, stops every member, and forgets them; what is on disk stays.
    void stop(std::function<void()> done);

 private:
    void send(const HostName& to, PeerMessage message) override;
    void watch(const HostName& host) override;
    bool is_silent(const HostName& host) const override { return silent_.contains(host); }
    void leader_changed(GroupId group, const HostName& leader) override;
    void machine_changed(GroupId group, const machine::MachineRef& machine) override;
    void ended(GroupId group) override;
    void caches_full() override;

    void restart_from(const Registration& member, Result<storage::RecoveredLog> log,
                      const Reply<Done>& done);
    void stop_member(GroupId group, bool hand_over, std::function<void()> done);
    void erase_files(GroupId group, Reply<Done> done);
    void answer_check(const HostName& from, const LeaderCheck& check);
    void check_leaders();

    Environment environment_;
    GroupOptions options_;
    Admission admission_;
    std::unordered_map<GroupId, std::unique_ptr<Group>> groups_;
    std::unordered_map<GroupId, std::unique_ptr<Group>> leaving_;  // stopping; get no messages
    std::set<HostName> watched_;
    std::set<HostName> silent_;
    std::size_t next_checked_ = 0;  // a place in groups_
    TimerId check_timer_ = 0;
    std::uint64_t ignored_ = 0;
    bool shrinking_ = false;  // the members' caches, soon
    bool stopping_ = false;
};

}  // namespace quorate::group
