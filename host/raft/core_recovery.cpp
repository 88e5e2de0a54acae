#include "host/raft/core.hpp"

#include <algorithm>

// A member whose disk lost part of what it promised (DESIGN §6). Its lost acknowledgements may have
// helped to commit entries, and its lost votes may still elect somebody. It may promise again
// once neither can hurt:
//
// - A vote counts only while the candidate that asked for it is one: less than two election
//   timeouts. So it waits three (`hold`), for clocks that differ, before anything else.
// - Then it asks its leader a numbered question, a ReadIndex: the answer proves that a quorum
//   which does not count this member stood by that leader after the hold. Were there a leader of
//   a later term that this member's lost vote elected, its quorum and the leader's would share a
//   member other than this one, which no longer answers the older. So every entry that
//   lost acknowledgements helped to commit is in this leader's log, up to the last index in the answer.
// - When that much is committed and durable here, and a vote for that leader is durable, it is whole.
namespace quorate::raft {

void Core::seek_recovery() {
    if (!recovering_ || !leader_ || recovery_.goal != Index{}) return;
    if (now_ < recovery_.hold || now_ < recovery_.ask_again) return;
    if (!recovery_.question) recovery_.question = ReadId(++next_wire_read_);
    recovery_.ask_again = now_ + options_.election_timeout;
    promise(leader_, ReadIndexRequest{hard_.term, recovery_.question});
}

void Core::finish_recovery() {
    if (!recovering_ || recovery_.goal == Index{} || !leader_) return;
    if (commit_ < recovery_.goal || durable_ < recovery_.goal) return;
    recovering_ = false;
    if (!hard_.vote) {
        hard_.vote = leader_;
        persist_hard();
    }
    following_.due = true;
    arm_election_timer();
}

}  // namespace quorate::raft
