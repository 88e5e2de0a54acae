#pragma once

#include "host/raft/types.hpp"

#include <vector>

namespace quorate::raft {

// The terms of a log's entries (base, last], as runs: elections, matching and commit need no more
// of an entry than its term, and terms are few.
//
// Invariant: runs ascend in index and in term; the first run starts right after base; no run
// begins beyond last.
class TermLog {
 public:
    TermLog() = default;
    // Pre: the invariant.
    TermLog(EntryId base, std::vector<TermRun> runs, Index last);

    EntryId base() const { return base_; }  // the entry before the first one held
    Index first() const { return base_.index.next(); }
    EntryId last() const;
    bool holds(Index index) const { return index >= base_.index && index <= last_; }
    // Pre: holds(index).
    Term term_at(Index index) const;
    EntryId id_at(Index index) const { return {term_at(index), index}; }
    // This very entry is in the log (Log Matching: then so are all before it).
    bool contains(EntryId id) const { return holds(id.index) && term_at(id.index) == id.term; }
    // The latest entry at or before `limit` whose term is at most `term`, but not before base: where
    // two logs may still agree (§3.5).
    EntryId latest_not_after(Index limit, Term term) const;

    // Pre: term is not below the last entry's.
    void append(Term term);
    // Drops entries at and above `from`. Pre: from > base.
    void truncate_from(Index from);
    // Drops entries up to and including `index`. Pre: holds(index).
    void compact(Index index);
    // Drops everything; the next entry comes after `base`.
    void reset(EntryId base);

    const std::vector<TermRun>& runs() const { return runs_; }

 private:
    std::vector<TermRun>::const_iterator run_of(Index index) const;

    EntryId base_;
    Index last_;
    std::vector<TermRun> runs_;
};

}  // namespace quorate::raft
