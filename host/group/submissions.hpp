#pragma once

#include "host/base/drain_rate.hpp"
#include "host/base/ring.hpp"
#include "host/group/deadlines.hpp"
#include "host/group/status.hpp"
#include "host/raft/types.hpp"

#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace quorate::group {

// Commands that were taken and not yet answered. Each ends in exactly one Outcome, and the outcome
// says no more than is certain:
//   never appended                            not_applied
//   applied at its (index, term)              applied
//   the machine stands still before it        unknown, with what stopped it
//   another entry applied at its index        not_applied: no log can hold it there any more
//   anything else (deadline, stop, snapshot)  unknown
// That a leader truncated an entry proves nothing: a third member may hold it, win and commit it.
//
// Callbacks may call back into this object. Thread: the shard.
class Submissions {
 public:
    using Reply = std::function<void(Outcome)>;

    // `linger`: how long, after leadership is lost, an entry may still settle before it is unknown.
    Submissions(Scheduler& scheduler, Deadlines& deadlines, Duration linger)
        : scheduler_(scheduler), deadlines_(deadlines), linger_(linger) {}

    // Queued for the turn's batch.
    void add(Bytes payload, Time deadline, Reply done);

    // All that is queued, as one batch. Nothing if none is.
    std::optional<raft::Propose> take_batch(std::uint64_t id);
    // The batch was appended, or refused for this reason.
    void appended(const raft::Proposed& proposed);
    void refused(std::uint64_t batch, const NotApplied& why);

    // The entry at this place has been applied; `reply` is that of a command, else empty.
    void applied(EntryId entry, const Bytes& reply);
    // True if a submission's entry lies there: its reply is wanted.
    bool wants(EntryId entry) const;

    // What is appended settles within `linger`, or is unknown.
    void leadership_lost();
    // The state jumped past these entries: what became of them cannot be told.
    void skipped(Index up_to);
    // The group ended before these entries.
    void ended(Index from, const Error& why);
    // Nothing from this entry on is applied here until somebody acts. What is appended may be applied
    // then, so it is unknown; what is not appended yet is refused.
    void stand_still(Index from, const Error& why);
    // Answers everything: not_applied if never appended, else unknown.
    void fail_all(const Error& why, const std::string& leader);

    // Not proposed yet, and proposed by this leadership and not settled.
    std::size_t queued() const { return unproposed_; }
    std::size_t under_way() const { return appended_.size(); }

    // Also of those whose deadline has passed, as long as they may be in the log and are not settled:
    // who gives up early does not thereby get more in.
    std::size_t count() const { return in_use_; }
    std::uint64_t bytes() const { return bytes_; }
    // When there is likely to be room again.
    std::uint32_t retry_after_ms() const { return rate_.retry_after_ms(in_use_); }

 private:
    // Names a submission; a slot that is used again has another generation.
    struct Ticket {
        std::uint32_t slot = 0;
        std::uint32_t generation = 0;
    };
    struct Slot {
        std::uint32_t generation = 0;
        bool used = false;
        bool proposed = false;  // handed to the core: it may be in the log
        std::size_t bytes = 0;
        Bytes payload;  // until it is proposed
        std::optional<Deadlines::Key> deadline;
        Reply done;  // none: its deadline passed, and it was told
    };
    struct Appended {
        EntryId entry;
        Ticket ticket;
    };
    // An entry of a leadership that ended.
    struct Orphan {
        EntryId entry;
        Ticket ticket;
        Time until;
    };

    Slot* find(Ticket ticket);
    std::vector<Ticket> take_from(Index from);
    void answer(Ticket ticket, Outcome outcome);
    void expire(Ticket ticket);
    void forget_answered();
    void settle(Ticket ticket, EntryId entry, EntryId at, const Bytes& reply);
    void settle_orphans(EntryId entry, const Bytes& reply);
    void expire_orphans();

    Scheduler& scheduler_;
    Deadlines& deadlines_;
    const Duration linger_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<Ticket> queued_;  // not proposed yet; some are answered already
    std::size_t unproposed_ = 0;  // of queued_, not answered
    std::map<std::uint64_t, std::vector<Ticket>> batches_;  // proposed, not yet told where
    Ring<Appended> appended_;                               // of this leadership, ascending
    std::multimap<Index, Orphan> orphans_;
    std::size_t in_use_ = 0;
    std::uint64_t bytes_ = 0;
    DrainRate rate_;  // of commands
};

}  // namespace quorate::group
