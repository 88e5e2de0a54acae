#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

// What must hold after every step, and what must never go backwards between two (LogCabin's way).
// The numbers are those of reliability's list: I2, I5, I6, I8, I12.
namespace quorate::raft {

void Core::check_invariants() {
    if (planted()) return;  // tests see what a planted bug does, not that we noticed it first
    check_state();
    if (role_ == Role::leader) check_leader();
    check_delta();
    past_.hard = hard_;
    past_.role = role_;
    past_.commit = commit_;
    past_.snapshot = snapshot_;
}

void Core::check_state() const {
    // I8: base <= snapshot <= commit <= last, durable <= last.
    CHECK(log_.base().index <= snapshot_.index && snapshot_.index <= commit_);
    CHECK(commit_ <= log_.last().index && durable_ <= log_.last().index);
    CHECK(log_.contains(snapshot_));
    CHECK(log_.last().term <= hard_.term, "an entry of a term that was not entered");
    CHECK(memberships_.active_since() <= log_.last().index);
    CHECK(cached_from_ + sizes_.size() == log_.last().index.next());
    CHECK(cached_from_ >= log_.first());
    CHECK(stored_ <= issued_ && hard_ticket_ <= issued_);
    if (!outstanding_.empty()) CHECK(outstanding_.back().last <= log_.last().index);
    CHECK(role_ == Role::leader || leading_.peers.empty());
    CHECK(role_ == Role::leader || leader_ != self_);
    CHECK(role_ == Role::follower || !recovering_, "a member that may not be counted campaigns");
    CHECK(role_ != Role::candidate || hard_.vote == self_);
    CHECK(!asleep_ || (role_ == Role::follower && leader_ && !recovering_),
          "only who follows a leader may leave waiting to others");
    CHECK(!asleep_ || commit_ == log_.last().index, "asleep with entries to come");
}

void Core::check_leader() const {
    CHECK(leader_ == self_ && hard_.vote == self_ && is_durable(hard_ticket_));
    CHECK(leading_.first <= log_.last().index && log_.last().term == hard_.term);
    MemberId before;
    for (const Progress& peer : leading_.peers) {
        CHECK(peer.id > before && peer.id != self_);
        CHECK(peer.match < peer.next && peer.match <= log_.last().index);
        CHECK(peer.next <= log_.last().index.next());
        CHECK(peer.fetched.empty() || peer.dirty);
        CHECK(peer.leaving.has_value() != (find(membership(), peer.id) != nullptr));
        before = peer.id;
    }
}

void Core::check_delta() const {
    CHECK(hard_.term >= past_.hard.term, "the term went back");
    if (hard_.term == past_.hard.term)
        CHECK(!past_.hard.vote || hard_.vote == past_.hard.vote,
              "a vote was changed within a term");
    CHECK(commit_ >= past_.commit && snapshot_.index >= past_.snapshot.index);
    if (role_ == Role::leader && past_.role == Role::leader) CHECK(hard_.term == past_.hard.term);
}

}  // namespace quorate::raft
