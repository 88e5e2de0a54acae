#include "host/raft/membership.hpp"
#include "tests/sim/raft_witness.hpp"

#include <algorithm>

// What a message promises, and what follows from it.
namespace quorate::sim {

void RaftWitness::sent(const std::string& host, const group::RaftEnvelope& envelope) {
    auto member = members_.find(envelope.from);
    if (member == members_.end()) return;
    ++messages_;
    note_sleep(envelope.message, envelope.from, envelope.to);
    Sender from{host, envelope, groups_[envelope.group], member->second};
    std::visit([&](const auto& m) { on(from, m); }, envelope.message);
}

// ---- votes ----------------------------------------------------------------------------------------

void RaftWitness::on(const Sender& from, const raft::VoteRequest& m) {
    if (m.pre_vote) return;
    if (from.member.disk.hard != raft::HardState{m.term, from.envelope.from})
        breach(text(from.envelope.from) + " campaigns before its term and vote are durable");
    note_vote(from, m.term, from.envelope.from);
}

void RaftWitness::on(const Sender& from, const raft::VoteReply& m) {
    if (m.pre_vote || !m.granted) return;
    if (from.member.disk.hard != raft::HardState{m.term, from.envelope.to})
        breach(text(from.envelope.from) + " promises a vote that is not durable");
    note_vote(from, m.term, from.envelope.to);
}

// I2: one vote a term.
void RaftWitness::note_vote(const Sender& from, Term term, MemberId candidate) {
    auto [vote, first] = from.group.votes.try_emplace({term, from.envelope.from}, candidate);
    if (!first && vote->second != candidate)
        breach("two votes by one member in term " + std::to_string(term.value()));
}

// ---- acknowledgements -----------------------------------------------------------------------------

// Up to where a durable snapshot stands for the log: a log is only reset to one.
Index RaftWitness::snapshot_of(const Member& member) {
    Index index = member.disk.terms.base().index;
    for (const raft::Store& store : member.pending) {
        if (store.reset) index = std::max(index, store.reset->index);
    }
    return index;
}

// I7: what is acknowledged is durable. One that recovers is not counted and promises nothing.
void RaftWitness::note_sleep(const raft::Message& message, MemberId from, MemberId to) {
    if (auto* reply = std::get_if<raft::AppendReply>(&message); reply && reply->asleep) {
        witness_.reach.fell_asleep += asleep_.insert(from).second ? 1 : 0;
    }
    if (auto* append = std::get_if<raft::AppendEntries>(&message); append && !append->sleep) {
        witness_.reach.woken += asleep_.erase(to);
    }
}

void RaftWitness::on(const Sender& from, const raft::AppendReply& m) {
    // I20 by its cause: who answers a round was asked it, in that term.
    if (m.round > from.group.rounds[{m.term, from.envelope.from}])
        breach(text(from.envelope.from) + " answers a round of another term");
    if (!m.accepted || m.recovering) return;
    Member& member = from.member;
    member.acknowledged = {m.term, m.match};
    std::string who = text(from.envelope.from);
    if (member.disk.hard.term != m.term)
        breach(who + " acknowledges in a term that is not durable");
    const raft::TermLog& disk = member.disk.terms;
    if (m.match <= snapshot_of(member)) return;
    const raft::TermLog& memory = member.memory.terms;
    bool durable =
        disk.holds(m.match) && memory.holds(m.match) && disk.contains(memory.id_at(m.match));
    if (!durable) breach(who + " acknowledges what is not durable");
}

// ---- leaders --------------------------------------------------------------------------------------

void RaftWitness::note_round(const Sender& from, Term term, std::uint64_t round) {
    std::uint64_t& latest = from.group.rounds[{term, from.envelope.to}];
    latest = std::max(latest, round);
}

void RaftWitness::on(const Sender& from, const raft::SnapshotOffer& m) {
    note_round(from, m.term, m.round);
    auto leader = from.group.leaders.find(m.term);
    if (leader != from.group.leaders.end() && leader->second.id != from.envelope.from)
        breach("Election Safety: two leaders in term " + std::to_string(m.term.value()));
}

void RaftWitness::on(const Sender& from, const raft::AppendEntries& m) {
    Group& group = from.group;
    note_round(from, m.term, m.round);
    auto [leader, first] =
        group.leaders.try_emplace(m.term, Leader{from.envelope.from, m.commit, {}});
    if (leader->second.id != from.envelope.from)
        return breach("Election Safety: two leaders in term " + std::to_string(m.term.value()));
    if (first) {
        ++witness_.reach.terms;
        check_elected(from, m.term);
        // The latest that an earlier leader committed: Log Matching answers for all before it.
        auto last = std::find_if(group.committed.rbegin(), group.committed.rend(),
                                 [&](const auto& entry) { return entry.second.by < m.term; });
        if (last != group.committed.rend()) check_complete(leader->second, m.term, last->second.id);
    }
    for (const raft::Entry& entry : m.entries) {
        auto known = group.entries.find(key_of(entry.id));
        if (known == group.entries.end() || known->second.content != content_of(entry))
            breach("an entry is sent that is not the one written: " + text(entry.id));
        if (entry.kind == raft::EntryKind::membership && entry.id.term == m.term)
            check_membership_entry(from, m, entry);
    }
    note_commit(from, m.term, m.commit);
    if (first && on_leader_) on_leader_(from.host);
}

// I1 by its cause: a majority of the voters that the candidate's log named voted for it.
void RaftWitness::check_elected(const Sender& from, Term term) {
    const auto& runs = from.member.memory.terms.runs();
    auto run =
        std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return r.term == term; });
    if (run == runs.end()) return breach("a leader without an entry of its term");
    Step step = membership_before(from.group, from.member, run->first);
    MemberId leader = from.envelope.from;
    bool elected = has_majority(*step.membership, [&](MemberId voter) {
        auto vote = from.group.votes.find({term, voter});
        return voter == leader || (vote != from.group.votes.end() && vote->second == leader);
    });
    if (!elected)
        breach(text(leader) + " leads term " + std::to_string(term.value()) +
               " without a majority of its votes");
}

// I4, Leader Completeness.
void RaftWitness::check_complete(const Leader& leader, Term term, EntryId entry) {
    const raft::TermLog& log = members_[leader.id].memory.terms;
    if (entry.index <= log.base().index || log.contains(entry)) return;
    breach("Leader Completeness: " + text(leader.id) + " leads term " +
           std::to_string(term.value()) + " without the committed " + text(entry));
}

// I16: no membership change before an entry of the leader's term is committed, and none beside
// another. What the message says of the commit index is no less than it was at the change.
void RaftWitness::check_membership_entry(const Sender& from, const raft::AppendEntries& m,
                                         const raft::Entry& entry) {
    const auto& runs = from.member.memory.terms.runs();
    auto run =
        std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return r.term == m.term; });
    if (run != runs.end() && m.commit < run->first)
        breach("a membership change in a term that has committed nothing: " + text(entry.id));
    if (m.commit < membership_before(from.group, from.member, entry.id.index).index)
        breach("two membership changes at once: " + text(entry.id));
}

// ---- commits --------------------------------------------------------------------------------------

void RaftWitness::note_commit(const Sender& from, Term term, Index commit) {
    Group& group = from.group;
    Leader& leader = group.leaders.at(term);
    const raft::TermLog& log = from.member.memory.terms;
    if (commit <= leader.announced || commit <= log.base().index) return;
    if (commit > log.last().index) return breach("a leader commits what it does not hold");
    EntryId entry = log.id_at(commit);
    if (commit > leader.inherited && !group.committed.contains(commit)) {
        if (entry.term != term)
            breach("an entry of an earlier term is committed by counting: " + text(entry));
        check_commit(from, leader, entry);
    }
    note_committed(group, entry, term);
    leader.announced = commit;
    for (auto later = group.leaders.upper_bound(term); later != group.leaders.end(); ++later) {
        if (members_[later->second.id].memory.hard.term == later->first)
            check_complete(later->second, later->first, entry);
    }
}

// I14: one entry commits at an index. What is before it in any log is committed with it.
void RaftWitness::note_committed(Group& group, EntryId entry, Term by) {
    while (entry.index > Index{}) {
        auto [committed, fresh] = group.committed.try_emplace(entry.index, Committed{entry, by});
        if (!fresh && committed->second.id != entry)
            breach("State Machine Safety: " + text(entry) + " is committed where " +
                   text(committed->second.id) + " was");
        if (!fresh) return;
        entry = group.entries[key_of(entry)].before;
    }
}

// I5: what nobody had committed yet a leader commits by counting: an entry of its own term, durable on a
// majority of the voters. The membership may have changed since it counted.
void RaftWitness::check_commit(const Sender& from, const Leader& leader, EntryId entry) {
    auto holds = [&](MemberId voter) {
        const raft::TermLog& disk = members_[voter].disk.terms;
        return entry.index <= snapshot_of(members_[voter]) || disk.contains(entry);
    };
    for (Index end = from.member.memory.terms.last().index.next();;) {
        Step step = membership_before(from.group, from.member, end);
        if (has_majority(*step.membership, holds)) return;
        if (step.index <= leader.announced) break;
        end = step.index;
    }
    breach("committed without a majority: " + text(entry));
}

RaftWitness::Step RaftWitness::membership_before(const Group& group, const Member& member,
                                                 Index end) {
    const raft::TermLog& log = member.memory.terms;
    for (auto at = group.memberships.lower_bound(end); at != group.memberships.begin();) {
        --at;
        Index index = at->first;
        auto committed = group.committed.find(index);
        Term term;
        if (index > log.base().index) {
            term = log.holds(index) ? log.term_at(index) : Term{};
        } else if (committed != group.committed.end()) {
            term = committed->second.id.term;
        }
        auto found = at->second.find(term);
        if (found != at->second.end()) return {index, &found->second};
    }
    return {Index{}, &group.genesis};
}

bool RaftWitness::has_majority(const raft::Membership& membership,
                               const std::function<bool(MemberId)>& counts) const {
    std::size_t voters = 0, counted = 0;
    for (const raft::Member& member : membership.members) {
        if (member.kind != raft::VoteKind::voter) continue;
        ++voters;
        counted += counts(member.id) ? 1 : 0;
    }
    return counted > voters / 2;
}

}  // namespace quorate::sim
