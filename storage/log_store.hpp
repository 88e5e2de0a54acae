#pragma once

#include "host/base/executor.hpp"
#include "host/base/result.hpp"
#include "host/raft/types.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quorate::storage {

// What recovery found of one group.
struct RecoveredLog {
    GroupId group;
    Bytes registration;  // as given to create()
    raft::HardState hard;
    EntryId base;  // the entry before the first one held; {0,0} if the log is whole from 1
    std::vector<raft::TermRun> runs;
    Index last;                            // == base.index when no entry is held
    std::vector<raft::Entry> memberships;  // membership entries held, ascending
    // Set when entries or votes that this member may have promised are gone (DESIGN §6: corruption,
    // a missing file, a log shorter than its watermark). The log above is what can be trusted.
    struct Damage {
        std::string what;  // for the operator: file, offset, what was expected
        Index promised;    // the highest index that was seen or acknowledged before
    };
    std::optional<Damage> damage;
};

// How full the disk is. At `low` proposals are refused; everything else goes on.
enum class Space : std::uint8_t { plenty, low };

// Told about one group's stores, on the executor that attach() was given.
class LogClient {
 public:
    virtual ~LogClient() = default;
    // Every store up to and including this ticket is durable.
    virtual void stored(Ticket ticket) = 0;
};

// The replicated logs of all groups of a system, with their terms and votes.
//
// Order: per group, operations take effect in call order. Durability is reported in order.
// A failed write or sync is never retried and never reported to a group: `on_failure` (given to
// the engine at open) is called once with the error, nothing is durable from then on, and the
// process must stop (DESIGN §6; reference: PostgreSQL's fsync lesson).
//
// Thread: any one thread per group; different groups may call from different threads.
class LogStore {
 public:
    virtual ~LogStore() = default;

    // Every group in the store, as found when it was opened. Once; empties what it returns.
    virtual std::vector<RecoveredLog> take_recovered() = 0;

    // Registers a group, durably before `done` runs: from then on recovery lists it. The
    // registration is the driver's (name, epoch, member id, machine); the store keeps it as it is.
    // Errc::group_exists if the id is there already. `done` runs on `on`.
    virtual void create(GroupId group, Bytes registration, Executor& on,
                        std::function<void(Result<void>)> done) = 0;
    // Replaces a group's registration, durably before `done` runs.
    virtual void update_registration(GroupId group, Bytes registration, Executor& on,
                                     std::function<void(Result<void>)> done) = 0;
    // Forgets a group and everything of it, durably before `done` runs. Idempotent.
    virtual void erase(GroupId group, Executor& on, std::function<void(Result<void>)> done) = 0;

    // Names who is told of a group's durable stores. Client and executor outlive the group, or
    // detach() comes first; after detach() returns no call to the client begins (both are called on the
    // executor's thread).
    virtual void attach(GroupId group, Executor& on, LogClient& client) = 0;
    virtual void detach(GroupId group) = 0;

    // Makes the store durable: one unit, reported by its ticket.
    virtual void write(GroupId group, raft::Store store) = 0;

    // Entries [from, to], as many as fit max_bytes but at least one; `done` runs on `on`, possibly
    // before this returns. Errc::compacted if `from` was released, corrupt if a checksum failed.
    // Entries whose write() was called are found, durable or not.
    using ReadDone = std::function<void(Result<std::vector<raft::Entry>>)>;
    virtual void read(GroupId group, Index from, Index to, std::uint64_t max_bytes, Executor& on,
                      ReadDone done) = 0;

    // What take_recovered() would say of one group if the store were opened now, but for the registration:
    // for a member that starts again while others go on. All that was written before is durable when `done`
    // runs, on `on`. Pre: no client is attached to it. Errc::no_such_group, corrupt.
    using RecoverDone = std::function<void(Result<RecoveredLog>)>;
    virtual void recover(GroupId group, Executor& on, RecoverDone done) = 0;

    // Entries up to and including `up_to` are no longer needed: a durable snapshot covers them.
    virtual void release(GroupId group, EntryId up_to) = 0;

    // A damaged group has caught up past everything it may have promised: from when this is durable,
    // recovery no longer reports `damage`. Until then it does, at every start, so that a crash
    // half-way through the repair cannot make a forgetful member vote. Engines that never find
    // damage have nothing to do.
    virtual void repaired(GroupId group) { static_cast<void>(group); }

    virtual Space space() const = 0;
};

}  // namespace quorate::storage
