#include "host/raft/mutants.hpp"

namespace quorate::raft {

Mutant planted_mutant = Mutant::none;

void plant(Mutant which) {
    planted_mutant = which;
}

const char* name_of(Mutant which) {
    switch (which) {
        case Mutant::none:
            return "none";
        case Mutant::vote_before_durable:
            return "vote_before_durable";
        case Mutant::ack_before_durable:
            return "ack_before_durable";
        case Mutant::older_term_committed:
            return "older_term_committed";
        case Mutant::duplicate_truncates:
            return "duplicate_truncates";
        case Mutant::stale_vote_counted:
            return "stale_vote_counted";
        case Mutant::read_before_term_commit:
            return "read_before_term_commit";
        case Mutant::read_joins_old_round:
            return "read_joins_old_round";
        case Mutant::double_vote:
            return "double_vote";
        case Mutant::vote_ignores_log:
            return "vote_ignores_log";
        case Mutant::missing_prev_check:
            return "missing_prev_check";
        case Mutant::minority_quorum:
            return "minority_quorum";
        case Mutant::follower_commit_beyond_match:
            return "follower_commit_beyond_match";
        case Mutant::change_before_term_commit:
            return "change_before_term_commit";
        case Mutant::concurrent_changes:
            return "concurrent_changes";
        case Mutant::truncation_keeps_durable:
            return "truncation_keeps_durable";
        case Mutant::snapshot_moves_back:
            return "snapshot_moves_back";
        case Mutant::snapshot_drops_longer_log:
            return "snapshot_drops_longer_log";
        case Mutant::non_voter_counted:
            return "non_voter_counted";
        case Mutant::earlier_round_answered:
            return "earlier_round_answered";
        case Mutant::asleep_answers_reads:
            return "asleep_answers_reads";
        case Mutant::asleep_ignores_lost_host:
            return "asleep_ignores_lost_host";
    }
    return "?";
}

}  // namespace quorate::raft
