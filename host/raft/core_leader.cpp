#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"
#include "host/raft/quorum.hpp"

#include <algorithm>
#include <array>

namespace quorate::raft {

// §3.4, §6.4: the first entry of the term commits what came before it and opens reads and
// membership changes.
void Core::become_leader() {
    CHECK(role_ == Role::candidate);
    if (transfer_) end_transfer(TransferOutcome::timed_out);
    role_ = Role::leader;
    leading_ = {};
    following_ = {};
    fetching_.reset();
    set_leader(self_);
    leading_.first = log_.last().index.next();
    leading_.heartbeat_at = now_ + heartbeat_interval();
    leading_.quorum_check_at = now_ + options_.election_timeout;
    for (const Member& member : membership().members) {
        if (member.id == self_) continue;
        leading_.peers.emplace_back(member.id, leading_.first);
        note_reachable(leading_.peers.back());
    }
    append_own(EntryKind::noop, {});
}

// What a leader sends at the end of a turn.
void Core::lead() {
    drive_transfer();
    promote_ready();
    start_read_round();
    Time& tell_at = leading_.tell_commit_at;
    if (tell_at == Time::max() && anyone_has_commit_news()) tell_at = now_ + options_.commit_delay;
    settle_rest();
    bool all_hear = !leading_.peers.empty();
    for (Progress& peer : leading_.peers) {
        bool sent = replicate_to(peer);
        all_hear = all_hear && sent && peer.state == PeerState::replicate;
    }
    // Each message says what a heartbeat would.
    if (all_hear) leading_.heartbeat_at = now_ + heartbeat_interval();
    if (!anyone_has_commit_news()) tell_at = Time::max();
    std::erase_if(leading_.peers, [this](const Progress& peer) {
        if (!peer.leaving) return false;
        bool told = peer.match >= peer.leaving->entry && peer.told_commit >= peer.leaving->entry &&
                    peer.told_commit == commit_;
        return told || now_ >= peer.leaving->until;
    });
    if (leading_.leaves) resign();
}

void Core::tick_leader() {
    if (leading_.resting) return;
    if (options_.check_quorum && now_ >= leading_.quorum_check_at) {
        if (!hears_a_quorum()) return become_follower(hard_.term, {});
        leading_.quorum_check_at = now_ + options_.election_timeout;
    }
    if (now_ >= leading_.tell_commit_at) {
        for (Progress& peer : leading_.peers) peer.dirty = true;
    }
    if (now_ < leading_.heartbeat_at) return;
    leading_.heartbeat_at = now_ + heartbeat_interval();
    ++leading_.round;
    if (transfer_) transfer_->told = false;  // it may have been lost
    count_idle_round();
    for (Progress& peer : leading_.peers) {
        if (sleeps_on(peer)) continue;
        if (peer.state == PeerState::probe) peer.probe_again();
        peer.dirty = peer.greet = true;
    }
}

void Core::on(Propose&& input) {
    Proposed answer{.id = input.id};
    std::uint64_t bytes = 0;
    for (const Proposal& proposal : input.batch) {
        CHECK(proposal.kind == EntryKind::command || proposal.kind == EntryKind::host);
        bytes += proposal.payload.size();
    }
    if (role_ != Role::leader) {
        answer.refusal = ProposeRefusal::not_leader;
    } else if (transfer_) {
        answer.refusal = ProposeRefusal::transferring;
    } else if (leading_.uncommitted_bytes > 0 &&
               leading_.uncommitted_bytes + bytes > options_.max_uncommitted_bytes) {
        answer.refusal = ProposeRefusal::too_many_uncommitted;
    } else {
        answer.first = {hard_.term, log_.last().index.next()};
        std::vector<Entry> entries;
        entries.reserve(input.batch.size());
        for (Proposal& proposal : input.batch)
            entries.push_back({{hard_.term, answer.first.index + entries.size()},
                               proposal.kind,
                               std::move(proposal.payload)});
        append_batch(std::move(entries), bytes);
    }
    out_.proposed.push_back(answer);
}

void Core::append_batch(std::vector<Entry>&& entries, std::uint64_t bytes) {
    if (entries.empty()) return;
    leading_.uncommitted.push_back({entries.back().id.index, bytes});
    leading_.uncommitted_bytes += bytes;
    stir();
    append(std::move(entries));
    for (Progress& peer : leading_.peers) peer.dirty = true;
}

EntryId Core::append_own(EntryKind kind, Bytes payload) {
    EntryId id{hard_.term, log_.last().index.next()};
    std::uint64_t bytes = payload.size();
    std::vector<Entry> entries;
    entries.push_back({id, kind, std::move(payload)});
    append_batch(std::move(entries), bytes);
    return id;
}

Progress* Core::peer(MemberId id) {
    auto at =
        std::lower_bound(leading_.peers.begin(), leading_.peers.end(), id,
                         [](const Progress& peer, MemberId sought) { return peer.id < sought; });
    return at != leading_.peers.end() && at->id == id ? &*at : nullptr;
}

// The greatest value that a majority of the voters has reached. A recovering voter has reached
// nothing; a leader that is no voter does not count itself (§4.2.2).
template <class Value, class Of>
Value Core::reached_by_majority(Value own, Of of) {
    std::array<Value, 16> few;
    std::vector<Value> many;
    std::span<Value> values(few);
    if (membership().members.size() > few.size()) {
        many.resize(membership().members.size());
        values = many;
    }
    std::size_t voters = 0;
    for (const Member& member : membership().members) {
        if (member.kind != VoteKind::voter && !mutant(Mutant::non_voter_counted)) continue;
        const Progress* known = member.id == self_ ? nullptr : peer(member.id);
        Value reached = member.id == self_            ? own
                        : known && !known->recovering ? of(*known)
                                                      : Value{};
        values[voters++] = reached;
    }
    std::size_t needed = majority(voters);
    if (mutant(Mutant::minority_quorum)) needed -= needed > 1 ? 1 : 0;
    return reached_by(values.first(voters), needed);
}

// §3.6.2 and Figure 3.7: an entry of an earlier term is never committed by counting.
void Core::maybe_commit() {
    Index reached = reached_by_majority(durable_, [](const Progress& peer) { return peer.match; });
    if (reached <= commit_) return;
    if (log_.term_at(reached) != hard_.term && !mutant(Mutant::older_term_committed)) return;
    advance_commit(reached);
}

// The latest round that a quorum has answered. The leader's own answer is that it sent it.
std::uint64_t Core::confirmed_round() {
    return reached_by_majority(leading_.round, [](const Progress& peer) { return peer.answered; });
}

// §6.2: a leader that no quorum answers steps down, so that its clients look elsewhere.
bool Core::hears_a_quorum() {
    bool heard =
        reached_by_majority(1, [](const Progress& peer) { return is_heard(peer) ? 1 : 0; }) == 1;
    for (Progress& peer : leading_.peers) peer.was_active = std::exchange(peer.active, false);
    return heard;
}

bool Core::a_quorum_sleeps() {
    auto sleeps = [](const Progress& peer) { return peer.asleep && peer.reachable ? 1 : 0; };
    return reached_by_majority(1, sleeps) == 1;
}

void Core::handle(MemberId from, AppendReply&& m) {
    Progress* known = role_ == Role::leader ? peer(from) : nullptr;
    if (role_ == Role::leader && !known) return;
    if (m.term > hard_.term) return become_follower(m.term, {});
    if (!known || m.term < hard_.term) return;
    if (m.match > log_.last().index) return;  // says what cannot be
    known->active = true;
    if (m.recovering && !known->recovering) known->match = {};
    known->recovering = m.recovering;
    if (!m.recovering) known->answered = std::max(known->answered, m.round);
    known->applied = std::max(known->applied, m.applied);
    note_asleep(*known, m);
    m.accepted ? on_accepted(*known, m) : on_refused(*known, m);
    if (role_ == Role::leader) confirm_reads();
}

void Core::on_accepted(Progress& peer, const AppendReply& m) {
    peer.dirty = true;
    Index before = peer.match;
    peer.acknowledged(m.match);
    if (peer.state == PeerState::probe) peer.become_replicate();
    if (peer.state == PeerState::snapshot && peer.match >= log_.base().index) {
        peer.become_probe(peer.match.next());
        peer.become_replicate();
    }
    if (peer.match > before) maybe_commit();
}

// §3.5: both sides name the latest entry that may still agree, so each round trip skips a term.
void Core::on_refused(Progress& peer, const AppendReply& m) {
    if (!peer.may_be_refused(m.match)) return;
    EntryId agreed = log_.latest_not_after(m.hint.index, m.hint.term);
    peer.become_probe(std::min(agreed.index, m.match.prev()).next());
    peer.dirty = true;
    // The peer's log ends, or parts from ours, before the first entry held.
    if (m.hint.index < log_.base().index) {
        peer.become_snapshot();
        peer.greet = true;
    }
}

// Steps down after the membership without this voter is committed, and has the best of the
// others campaign at once (§4.2.2).
void Core::resign() {
    MemberId successor = best_successor();
    if (successor) send(successor, TimeoutNow{hard_.term});
    become_follower(hard_.term, {});
}

std::vector<Core::PeerStatus> Core::peers() const {
    std::vector<PeerStatus> all;
    for (const Progress& peer : leading_.peers) {
        if (peer.leaving) continue;
        all.push_back({.id = peer.id,
                       .match = peer.match,
                       .next = peer.next,
                       .applied = peer.applied,
                       .told = peer.told_commit,
                       .state = peer.state,
                       .recovering = peer.recovering,
                       .recent_active = peer.was_active || is_heard(peer)});
    }
    return all;
}

}  // namespace quorate::raft
