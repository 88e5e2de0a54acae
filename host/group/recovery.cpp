#include "host/group/recovery.hpp"

#include "host/base/check.hpp"

#include <algorithm>

namespace quorate::group {
namespace {

// Pre: base.index < index <= last.
Term term_in(const storage::RecoveredLog& log, Index index) {
    Term term;
    for (const raft::TermRun& run : log.runs) {
        if (run.first > index) break;
        term = run.term;
    }
    return term;
}

enum class Fit : std::uint8_t {
    follows,  // the log holds the snapshot's last entry, or begins right after it
    // the log ends before the snapshot or contradicts it: the snapshot is committed and stands for
    // it
    is_behind,
    has_gap,  // entries between the snapshot and the log's first are gone
};

Fit fit_of(const storage::RecoveredLog& log, EntryId snapshot) {
    if (log.base.index > snapshot.index) return Fit::has_gap;
    if (log.last < snapshot.index) return Fit::is_behind;
    Term held = log.base.index == snapshot.index ? log.base.term : term_in(log, snapshot.index);
    return held == snapshot.term ? Fit::follows : Fit::is_behind;
}

// The log as if it had just been replaced by the snapshot.
void drop_log(Recovery& recovery, EntryId snapshot) {
    recovery.reset = snapshot;
    recovery.initial.base = snapshot;
    recovery.initial.last = snapshot.index;
}

void keep_log(raft::Initial& initial, storage::RecoveredLog& log) {
    initial.base = log.base;
    initial.last = log.last;
    initial.runs = std::move(log.runs);
    for (raft::Entry& entry : log.memberships) {
        if (entry.id.index > initial.snapshot.index)
            initial.memberships.push_back(std::move(entry));
    }
}

}  // namespace

Recovery plan_recovery(const Registration& registration,
                       std::optional<storage::RecoveredLog> recovered,
                       const std::optional<storage::SnapshotMeta>& snapshot) {
    Recovery recovery;
    raft::Initial& initial = recovery.initial;
    initial.group = registration.group;
    initial.epoch = registration.epoch;
    initial.self = registration.member;
    initial.membership = snapshot ? snapshot->membership : registration.initial;
    initial.snapshot = snapshot ? snapshot->last : EntryId{};

    storage::RecoveredLog log = recovered ? std::move(*recovered) : storage::RecoveredLog{};
    initial.hard = log.hard;
    // A received snapshot may be on disk while the term that came with it is not: the core enters that
    // term anew, and says nothing in it before it is durable.
    Index seen = log.last;
    switch (fit_of(log, initial.snapshot)) {
        case Fit::follows:
            keep_log(initial, log);
            break;
        case Fit::is_behind:
            drop_log(recovery, initial.snapshot);
            break;
        case Fit::has_gap:
            recovery.damage = "the log begins after entry " +
                              std::to_string(log.base.index.value()) +
                              " but the newest readable snapshot ends at " +
                              std::to_string(initial.snapshot.index.value());
            drop_log(recovery, initial.snapshot);
            initial.recovering = true;
            initial.recover_past = seen;
            recovery.forgets = true;
            break;
    }
    if (registration.recover_past != Index{}) {
        recovery.damage += (recovery.damage.empty() ? "" : "; ");
        recovery.damage += "an earlier start found entries missing that are not made up for yet";
        initial.recovering = true;
        initial.recover_past = std::max(initial.recover_past, registration.recover_past);
    }
    if (log.damage) {
        recovery.damage += (recovery.damage.empty() ? "" : "; ") + log.damage->what;
        initial.recovering = true;
        initial.recover_past = std::max(initial.recover_past, log.damage->promised);
    }
    return recovery;
}

}  // namespace quorate::group
