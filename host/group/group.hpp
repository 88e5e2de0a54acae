#pragma once

#include "host/group/admission.hpp"
#include "host/group/host_memory.hpp"
#include "host/group/host_watch.hpp"
#include "host/group/registration.hpp"
#include "host/group/scheduler.hpp"
#include "host/group/service.hpp"
#include "host/raft/core.hpp"
#include "storage/log_store.hpp"
#include "storage/snapshot_store.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace quorate::group {

// Limits and times of one member.
struct GroupOptions {
    raft::Options raft;
    std::uint64_t max_command_bytes = 8ull << 20;  // larger: command_too_large
    // Of commands submitted and not yet settled, of those that wait for this member's disk, and of
    // queries not yet answered, each for itself; more: overloaded.
    std::uint64_t max_queued_bytes = 64ull << 20;
    std::uint32_t max_queued_commands = 65536;  // and as many queries
    // Of all groups of a shard, proposed and not settled: Admission.
    std::uint64_t commands_under_way = 10'000;
    // Recent entries kept in memory for followers; twice that while they wait to be applied.
    std::uint64_t cache_bytes = 32ull << 20;
    // Applied entries between automatic snapshots; 0: only when asked.
    std::uint64_t snapshot_interval_entries = 65536;
    // Kept behind a snapshot, so that a short absence needs no transfer.
    std::uint64_t retained_entries = 4096;
    // Entries per call into the machine; then other groups get a turn.
    std::uint32_t apply_batch = 256;
    std::uint32_t snapshot_piece_bytes = 1u << 20;
    std::uint32_t snapshot_window = 4;     // pieces asked for ahead
    Duration snapshot_piece_timeout = 2s;  // then asked again
    std::size_t snapshots_kept = 2;
    // After a leader that stops has handed over: so long it tells clients who leads now, that none of them
    // is left with a command that nobody answered.
    Duration farewell = 100ms;
};

// Where a member sends. Implemented by the shard on top of Transport.
class GroupLinks {
 public:
    virtual ~GroupLinks() = default;
    virtual void send(const HostName& to, PeerMessage message) = 0;
    // Members live on that host: host_changed() from now on.
    virtual void watch(const HostName&) {}
    virtual bool is_silent(const HostName&) const { return false; }
};

// Told by a member about itself. Thread: the shard.
class GroupObserver {
 public:
    virtual ~GroupObserver() = default;
    virtual void leader_changed(GroupId group, const HostName& leader) = 0;  // empty: unknown
    // Another build of the machine has taken over.
    virtual void machine_changed(GroupId group, const machine::MachineRef& machine) = 0;
    // The member is no longer in its group, or the group was deleted: erase it.
    virtual void ended(GroupId group) = 0;
    // The caches of the host's members are full, this one's among them: each is to be cut to its share.
    virtual void caches_full() {}
};

// One member of a group: consensus core, log, machine, queries and snapshots as one object that
// executes what the core puts out. Inputs are gathered and the core's output is taken once per turn
// (Scheduler::post), so everything that is ready makes one store and one message per peer.
//
// A broken invariant (CHECK) fences the member: it falls silent, its state stays on disk, the
// log and status say so, everything waiting is answered, and other groups never notice.
// A machine's fault stops applying only.
//
// Thread: the shard. Destroy only after stop() is done.
class Group {
 public:
    struct Environment {
        Scheduler& scheduler;
        GroupLinks& links;
        storage::LogStore& log;
        storage::SnapshotStore& snapshots;
        machine::MachineFactory& machines;
        GroupObserver& observer;
        HostName host;
        Admission& admission;
        SharedHostMemory memory = {};  // none: the member counts for itself
    };

    Group(Environment environment, GroupOptions options, Registration registration,
          std::optional<storage::RecoveredLog> recovered);
    ~Group();

    // Loads the newest snapshot on a background thread, then takes part.
    // `begun` when it takes part, or has failed to.
    void start(std::function<void()> begun);
    // Answers all that waits (unknown or not_applied, correctly), closes views, detaches from the log. With
    // `hand_over`, a leader first transfers leadership, for at most one election timeout.
    void stop(bool hand_over, std::function<void()> done);
    // stop() is done: only status() says anything any more.
    bool is_stopped() const;

    // `from`, if given, is where the sender lives: a member that joined later may not know it.
    void receive(RaftEnvelope message, const HostName& from = {});
    void receive(SnapshotFetch message, const HostName& from);
    void receive(SnapshotPiece message);

    // On the leader: proposes. Elsewhere: answers not_leader with the hint at once.
    void submit(Bytes payload, Time deadline, std::function<void(Outcome)> done);
    // local: at once (when at_least is applied); leader: only on the leader; linearizable: by
    // ReadIndex, on any member.
    void query(ReadLevel level, Index at_least, Bytes query, Time deadline,
               Reply<QueryAnswer> done);

    void change_membership(
        std::variant<raft::AddMember, raft::RemoveMember, raft::SetVoteKind> change, Time deadline,
        Reply<EntryId> done);  // answers when committed
    void transfer_leadership(MemberId to, Time deadline, Reply<Done> done);
    // As if nothing had been heard of a leader for an election timeout; a leader has nothing to do.
    // Errc::not_voter, member_recovering, member_stopped, member_fenced.
    Result<void> campaign();
    // Appends the end-of-life entry; each member ends when it applies it, the leader last.
    void end_of_life(Time deadline, Reply<Done> done);
    void take_snapshot(Reply<SnapshotSummary> done);
    void list_snapshots(Reply<std::vector<SnapshotSummary>> done);

    MemberStatus status() const;
    // Status with a hash of the whole machine state at `applied`, computed from a view.
    void status_with_state_hash(Reply<MemberStatus> done);
    // What is known of another host changed.
    void host_changed(const HostName& host, HostNews news);
    // The leadership that this member relies on while it sleeps, and where; nothing if it does not.
    struct Reliance {
        HostName host;
        Leadership on;
    };
    std::optional<Reliance> reliance() const;
    // Whether this member is the leader that is meant.
    bool leads(const Leadership& asked) const;
    // Its host says that this leader is none.
    void leader_lost(const Leadership& lost);

    // A plugin was installed: a member that waits for it, or for another build of its machine, goes on.
    void plugins_changed();
    // Keeps no more of its recent entries in memory than that, but for what is not durable yet, and as
    // much again that waits to be applied.
    void shrink_cache(std::uint64_t keep);

    const Registration& registration() const;
    bool is_leader() const;
    HostName leader() const;  // empty: unknown
    // The machine's text forms; Errc::plugin_not_found while it is not loaded.
    Result<const machine::Machine*> machine() const;

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::group
