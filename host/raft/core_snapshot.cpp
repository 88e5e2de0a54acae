#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>

namespace quorate::raft {

// Every offer is answered, as a heartbeat is; only one snapshot at a time is fetched. What an
// offer covers and this log already holds is thereby known to be committed and the leader's.
void Core::handle(MemberId from, SnapshotOffer&& m) {
    if (!obey(from, m.term, m.round)) {
        promise(from, AppendReply{.term = hard_.term, .recovering = recovering_});
        return;
    }
    if (!is_valid(m.membership)) return;
    seek_recovery();
    following_.due = true;
    if (m.last.index > commit_ && log_.contains(m.last)) advance_commit(m.last.index);
    if (m.last.index <= commit_) return;
    if (fetching_ && fetching_->from == from) return;
    fetching_ = Fetching{from, m.last};
    out_.snapshot_wanted = SnapshotWanted{from, m.last, std::move(m.membership)};
}

// §5: the snapshot replaces the log, unless the log goes through its last entry: then what
// follows may have been acknowledged and stays.
void Core::on(SnapshotReceived&& input) {
    if (fetching_ && fetching_->snapshot.index <= input.snapshot.index) fetching_.reset();
    bool late = input.snapshot.index <= commit_ && !mutant(Mutant::snapshot_moves_back);
    if (late) return;
    if (input.snapshot.term > hard_.term) become_follower(input.snapshot.term, {});
    // Committed, and so equal to what any leader from now on has.
    if (leader_) following_.matched = std::max(following_.matched, input.snapshot.index);
    if (log_.contains(input.snapshot) && !mutant(Mutant::snapshot_drops_longer_log)) {
        advance_commit(input.snapshot.index);
        return;
    }
    CHECK(role_ != Role::leader, "a leader's log lacks what is committed");
    reset_log(input.snapshot, std::move(input.membership));
    snapshot_ = input.snapshot;
    commit_ = input.snapshot.index;
    out_.install = input.snapshot;
    out_.commit = commit_;
}

void Core::on(SnapshotFailed&& input) {
    if (fetching_ && fetching_->snapshot == input.snapshot) fetching_.reset();
}

}  // namespace quorate::raft
