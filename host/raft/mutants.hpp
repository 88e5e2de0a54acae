#pragma once

#include <cstdint>

namespace quorate::raft {

// Bugs that were shipped by somebody (docs/protocol.md §11 says by whom), each switchable where it
// would stand. They show that the tests bite. Product code is built without them: there the
// question is a constant and the branch is gone. The library quorate::raft_mutants is built from the
// same sources with them; a program that links it takes its objects in place of quorate::raft's.
enum class Mutant : std::uint8_t {
    none,
    vote_before_durable,           // votes and campaigns leave before term and vote are on disk
    ack_before_durable,            // acknowledgements leave before the entries are on disk
    older_term_committed,          // counting replicas commits an entry of an earlier term
    duplicate_truncates,           // a repeated append cuts what follows it
    stale_vote_counted,            // a vote of an earlier term counts
    read_before_term_commit,       // a new leader serves reads from its old commit index
    read_joins_old_round,          // a read is confirmed by answers to earlier messages
    double_vote,                   // the vote of a term is given twice
    vote_ignores_log,              // the vote goes to a candidate with a lesser log
    missing_prev_check,            // entries are appended after a prev that differs
    minority_quorum,               // half is taken for a majority
    follower_commit_beyond_match,  // commit covers entries that no message matched
    change_before_term_commit,     // membership changes before the term's first entry is committed
    concurrent_changes,            // a second change before the first is committed
    truncation_keeps_durable,      // overwritten entries still count as durable
    snapshot_moves_back,           // a late snapshot replaces a newer state
    snapshot_drops_longer_log,     // a snapshot cuts acknowledged entries that follow it
    non_voter_counted,             // members without a vote count in quorums
    earlier_round_answered,    // a reply to an earlier term's message answers a round of this term
    asleep_answers_reads,      // a leader that slept answers reads without asking anybody
    asleep_ignores_lost_host,  // a sleeping follower waits for ever for a leader that is gone
    last_ = asleep_ignores_lost_host,
};

#ifdef QUORATE_MUTANTS
extern Mutant planted_mutant;
inline bool planted() {
    return planted_mutant != Mutant::none;
}
inline bool mutant(Mutant which) {
    return planted_mutant == which;
}
#else
constexpr bool planted() {
    return false;
}
constexpr bool mutant(Mutant) {
    return false;
}
#endif

// Switches one on, for every core of the process. Only in quorate::raft_mutants.
void plant(Mutant which);
const char* name_of(Mutant which);

}  // namespace quorate::raft
