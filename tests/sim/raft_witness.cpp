#include "tests/sim/raft_witness.hpp"

#include "host/raft/membership.hpp"

#include <algorithm>

namespace quorate::sim {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    return (hash ^ value) * 0x9E3779B97F4A7C15ull + (hash >> 29);
}

}  // namespace

std::string text(EntryId entry) {
    return std::to_string(entry.term.value()) + "/" + std::to_string(entry.index.value());
}

std::string text(MemberId member) {
    return "member " + std::to_string(member.value());
}

std::uint64_t content_of(const raft::Entry& entry) {
    return std::hash<std::string_view>{}(entry.payload.text()) * 31 +
           static_cast<std::uint64_t>(entry.kind);
}

void RaftWitness::created(const group::Registration& registration) {
    Group& group = groups_[registration.group];
    if (group.genesis.members.empty()) group.genesis = registration.initial;
    members_[registration.member].group = registration.group;
}

// ---- recovery -----------------------------------------------------------------------------------

// How far the durable log stands whether or not the stores that were on their way arrived.
Index RaftWitness::still_sure(const Member& member) {
    Index sure = member.disk.terms.last().index;
    for (const raft::Store& store : member.pending) {
        if (store.reset) sure = std::min(sure, store.reset->index);
        if (store.truncate_from) sure = std::min(sure, store.truncate_from->prev());
    }
    return sure;
}

// What was reported durable survives every crash (I7), and nothing comes back that nobody wrote.
void RaftWitness::recovered(MemberId id, const storage::RecoveredLog& found) {
    Member& member = members_[id];
    Group& group = groups_[found.group];
    raft::TermLog log(found.base, found.runs, found.last);
    if (found.damage)
        breach(text(id) + ": what was only cut off is called damaged: " + found.damage->what);
    const raft::HardState& kept = member.disk.hard;
    bool same_term = found.hard.term == kept.term;
    if (found.hard.term < kept.term || (same_term && kept.vote && found.hard.vote != kept.vote))
        breach(text(id) + " comes back without its term or vote");
    Index sure = still_sure(member);
    if (sure > log.base().index && member.disk.terms.holds(sure) &&
        !log.contains(member.disk.terms.id_at(sure)))
        breach(text(id) + " comes back without entries that were durable");
    note_committed(group, found.base, found.hard.term);
    for (const raft::TermRun& run : log.runs()) {
        if (!group.entries.contains(key_of({run.term, run.first})))
            breach(text(id) + " comes back with an entry that nobody wrote");
    }
    member.memory = member.disk = {found.hard, std::move(log)};
    member.pending.clear();
}

// ---- stores -------------------------------------------------------------------------------------

void RaftWitness::wrote(MemberId id, const raft::Store& store) {
    Member& member = members_[id];
    Group& group = groups_[member.group];
    if (store.hard) check_hard(member, *store.hard);
    if (store.reset) {
        check_dropped(group, member, store.reset->index.next());
        note_committed(group, *store.reset, member.memory.hard.term);
    }
    if (store.truncate_from) check_dropped(group, member, *store.truncate_from);
    Log& log = member.memory;
    EntryId before = store.entries.empty() ? EntryId{} : store.entries.front().id;
    apply(log, store);
    if (!store.entries.empty()) {
        Index index = before.index.prev();
        before = log.terms.holds(index) ? log.terms.id_at(index) : EntryId{};
    }
    for (const raft::Entry& entry : store.entries) {
        note_entry(group, before, entry);
        before = entry.id;
    }
    auto leader = group.leaders.find(log.hard.term);
    if (store.truncate_from && leader != group.leaders.end() && leader->second.id == id)
        breach(text(id) + " leads and shortens its own log");
    // I9: what was acknowledged in this term stays.
    if (member.acknowledged.term == log.hard.term &&
        log.terms.last().index < member.acknowledged.index)
        breach(text(id) + " drops what it acknowledged");
    member.pending.push_back(store);
}

void RaftWitness::stored(MemberId id, Ticket ticket) {
    Member& member = members_[id];
    while (!member.pending.empty() && member.pending.front().ticket <= ticket) {
        apply(member.disk, member.pending.front());
        member.pending.pop_front();
    }
}

void RaftWitness::apply(Log& log, const raft::Store& store) {
    if (store.hard) log.hard = *store.hard;
    if (store.reset) log.terms.reset(*store.reset);
    if (store.truncate_from) {
        if (*store.truncate_from <= log.terms.base().index)
            return breach("a log is cut off below its snapshot");
        log.terms.truncate_from(*store.truncate_from);
    }
    for (const raft::Entry& entry : store.entries) {
        if (entry.id.index != log.terms.last().index.next())
            return breach("a log has a gap before " + text(entry.id));
        log.terms.append(entry.id.term);
    }
}

// I2: neither term nor vote goes back.
void RaftWitness::check_hard(const Member& member, const raft::HardState& hard) {
    const raft::HardState& before = member.memory.hard;
    if (hard.term < before.term) breach("a member's term goes back");
    if (hard.term == before.term && before.vote && hard.vote != before.vote)
        breach("two votes by one member in term " + std::to_string(hard.term.value()));
}

// I6: what is committed leaves a log by a snapshot alone.
void RaftWitness::check_dropped(const Group& group, const Member& member, Index from) {
    auto committed = group.committed.lower_bound(from);
    if (committed == group.committed.end()) return;
    if (member.memory.terms.contains(committed->second.id))
        breach("a member drops the committed entry " + text(committed->second.id));
}

// I3, Log Matching: an entry's id decides it and all before it.
void RaftWitness::note_entry(Group& group, EntryId before, const raft::Entry& entry) {
    auto previous = group.entries.find(key_of(before));
    std::uint64_t chain = previous == group.entries.end() ? 0 : previous->second.chain;
    std::uint64_t content = content_of(entry);
    chain = mix(mix(chain, content), key_of(entry.id));
    auto [known, fresh] =
        group.entries.try_emplace(key_of(entry.id), Known{before, content, chain});
    if (!fresh && known->second.chain != chain)
        breach("Log Matching: two logs differ up to " + text(entry.id));
    if (!fresh) return;
    auto [latest, first] = group.latest.try_emplace(entry.id.index, entry.id.term);
    if (!first) ++witness_.reach.overwritten;
    if (entry.kind != raft::EntryKind::membership) return;
    ++witness_.reach.memberships;
    if (auto membership = raft::decode_membership(entry.payload.view()))
        group.memberships[entry.id.index][entry.id.term] = std::move(*membership);
}

}  // namespace quorate::sim
