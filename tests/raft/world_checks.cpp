#include "host/base/check.hpp"
#include "host/raft/membership.hpp"
#include "host/raft/quorum.hpp"
#include "tests/raft/world.hpp"

#include <algorithm>

// What must hold of every output (reliability's invariants I1 to I8, I13, I14, I20).
namespace quorate::raft::test {
namespace {

std::string text(MemberId id) {
    return std::to_string(id.value());
}
std::string text(EntryId id) {
    return std::to_string(id.term.value()) + "/" + std::to_string(id.index.value());
}

}  // namespace

void World::observe(Node& node, const Output& output) {
    if (output.store) observe_log(node, *output.store);
    observe_commit(node, output);
    if (output.role && output.role->role == Role::leader) {
        observe_leader(node);
        if (faults_ && settings_.stormy) harass(node.id());
    }
    for (const ReadReady& read : output.reads_ready) {
        auto asked = asked_.find({node.id(), read.id});
        if (asked == asked_.end()) fail("an answer to no read");
        if (read.index < asked->second) fail("a stale read at member " + text(node.id()));
        if (read.index > Index(history_.size())) fail("a read of what is not committed");
        asked_.erase(asked);
        reach_.reads++;
    }
    for (const ReadFailed& read : output.reads_failed) {
        if (asked_.erase({node.id(), read.id}) == 0) fail("a refusal of no read");
    }
    for (const Transferred& transfer : output.transfers)
        reach_.transfers += transfer.outcome == TransferOutcome::done ? 1 : 0;
    for (const Changed& change : output.changes) observe_change(node, change);
}

// I16: no membership change before the leader's term has committed, none beside another. Without it
// two quorums that do not meet take a long chain of accidents, which no run of ours is bound to have.
void World::observe_change(Node& node, const Changed& change) {
    if (change.refusal != ChangeRefusal::none) return;
    reach_.changes++;
    Index commit = node.core().commit();
    if (commit < node.core().last().index && node.core().term_at(commit) != change.entry.term)
        fail("a membership change in a term that has committed nothing");
    for (Index i = commit.next(); i < change.entry.index; i = i.next()) {
        if (node.log().at(i).kind == EntryKind::membership) fail("two membership changes at once");
    }
}

// Log Matching: an entry's id decides it and all before it.
void World::observe_log(Node& node, const Store& store) {
    if (store.truncate_from) reach_.truncations++;
    if (store.reset) reach_.resets++;
    // I9: what was acknowledged in this term stays.
    auto acknowledged = acknowledged_.find(node.id());
    if (acknowledged != acknowledged_.end() && acknowledged->second.term == node.core().term() &&
        node.log().last() < acknowledged->second.index)
        fail("member " + text(node.id()) + " drops what it acknowledged");
    for (const Entry& entry : store.entries) {
        std::uint64_t key = entry.id.term.value() << 32 | entry.id.index.value();
        std::uint64_t chain = node.log().chain_at(entry.id.index);
        auto [known, is_new] = chains_.emplace(key, chain);
        if (!is_new && known->second != chain)
            fail("Log Matching: two logs differ up to " + text(entry.id));
    }
}

// State Machine Safety: whatever is committed anywhere is one history. Leader Completeness: it is in
// the log of every leader of a later term.
void World::observe_commit(Node& node, const Output& output) {
    if (output.install) {
        std::size_t at = output.install->index.value();
        if (at > history_.size() || history_[at - 1].id != *output.install ||
            history_[at - 1].chain != node.snapshot(*output.install)->chain)
            fail("member " + text(node.id()) + " installs a state that never was");
    }
    if (!output.commit) return;
    const EntryLog& log = node.log();
    auto leader = leaders_.find(node.core().term());
    bool leads = node.core().role() == Role::leader && leader != leaders_.end() &&
                 leader->second == node.id();
    if (leads && output.commit->value() > history_.size()) check_counted(node, *output.commit);
    Index from =
        std::max(log.base().index, Index(history_.size() > 64 ? history_.size() - 64 : 0)).next();
    for (Index i = from; i <= *output.commit; i = i.next()) {
        Committed entry{log.at(i).id, log.chain_at(i), node.core().term()};
        if (i.value() <= history_.size()) {
            const Committed& first = history_[i.value() - 1];
            if (first.id != entry.id || first.chain != entry.chain)
                fail("State Machine Safety: member " + text(node.id()) + " commits " +
                     text(entry.id) + ", committed before was " + text(first.id));
            continue;
        }
        if (i.value() != history_.size() + 1)
            fail("a committed entry that nobody committed before");
        history_.push_back(entry);
        reach_.commits++;
        if (log.at(i).kind == EntryKind::membership) reach_.promotions++;
        for (auto& [id, other] : nodes_) {
            if (other->up() && other->core().role() == Role::leader &&
                other->core().term() > entry.by)
                check_complete(*other, entry);
        }
    }
}

// I5: what nobody had committed yet a leader commits by counting: an entry of its own term, durable on a
// majority of the voters. The membership may have changed in the same turn.
void World::check_counted(const Node& leader, Index commit) {
    EntryId entry = leader.log().at(commit).id;
    if (entry.term != leader.core().term())
        fail("an entry of an earlier term is committed by counting: " + text(entry));
    if (settings_.damages) return;  // what was counted may be lost since
    auto holds = [&](const Member& member) {
        auto node = nodes_.find(member.id);
        if (member.kind != VoteKind::voter || node == nodes_.end()) return false;
        const EntryLog& disk = node->second->durable_log();
        return commit <= disk.base().index ||
               (commit <= disk.last() && disk.at(commit).id == entry);
    };
    for (Index at : {commit, leader.core().last().index}) {
        const Membership& membership = leader.core().membership_at(at);
        auto held = std::count_if(membership.members.begin(), membership.members.end(), holds);
        if (static_cast<std::size_t>(held) >= majority(voter_count(membership))) return;
    }
    fail("committed without a majority: " + text(entry));
}

// I1 by its cause: a majority of the voters that its log names voted for it.
void World::check_elected(const Node& leader) {
    const Membership& membership = leader.core().membership();
    auto votes = std::count_if(
        membership.members.begin(), membership.members.end(), [&](const Member& member) {
            auto vote = votes_.find({leader.core().term(), member.id});
            bool for_it = vote != votes_.end() && vote->second == leader.id();
            return member.kind == VoteKind::voter && (for_it || member.id == leader.id());
        });
    if (static_cast<std::size_t>(votes) < majority(voter_count(membership)))
        fail(text(leader.id()) + " leads without a majority of the votes");
}

// Election Safety, and Leader Completeness for what was committed before.
void World::observe_leader(Node& node) {
    reach_.elections++;
    auto [known, is_new] = leaders_.emplace(node.core().term(), node.id());
    if (!is_new && known->second != node.id())
        fail("Election Safety: " + text(known->second) + " and " + text(node.id()) +
             " lead one term");
    check_elected(node);
    for (const Committed& entry : history_) {
        if (entry.by < node.core().term()) check_complete(node, entry);
    }
}

void World::check_complete(const Node& leader, const Committed& entry) {
    Index index = entry.id.index;
    if (index < leader.log().base().index) return;
    if (index > leader.log().last() || leader.log().chain_at(index) != entry.chain)
        fail("Leader Completeness: " + text(leader.id()) + " leads without the committed " +
             text(entry.id));
}

// I20 by its cause: who answers a round was asked it, in that term.
void World::check_round(const Node& node, const Send& send) {
    auto asked = [&](Term term, std::uint64_t round) {
        std::uint64_t& latest = rounds_[{term, send.to}];
        latest = std::max(latest, round);
    };
    if (const auto* append = std::get_if<AppendEntries>(&send.message))
        asked(append->term, append->round);
    if (const auto* offer = std::get_if<SnapshotOffer>(&send.message))
        asked(offer->term, offer->round);
    const auto* reply = std::get_if<AppendReply>(&send.message);
    if (reply != nullptr && reply->round > rounds_[{reply->term, node.id()}])
        fail(text(node.id()) + " answers a round of another term");
}

// What a message promises is on the disk when the message leaves.
void World::check_promise(const Node& node, const Send& send) {
    const HardState& hard = node.durable_hard();
    if (const auto* vote = std::get_if<VoteReply>(&send.message)) {
        if (vote->granted && !vote->pre_vote && hard != HardState{vote->term, send.to})
            fail("a vote is promised that is not on disk");
        if (vote->granted && !vote->pre_vote) votes_[{vote->term, node.id()}] = send.to;
    } else if (const auto* request = std::get_if<VoteRequest>(&send.message)) {
        if (!request->pre_vote && hard != HardState{request->term, node.id()})
            fail("a campaign begins that is not on disk");
    } else if (const auto* reply = std::get_if<AppendReply>(&send.message)) {
        if (!reply->accepted) {
            reach_.refused_appends++;
            return;
        }
        if (reply->recovering) return;
        acknowledged_[node.id()] = {reply->term, reply->match};
        const EntryLog& disk = node.durable_log();
        if (hard.term != reply->term) fail("an acknowledgement in a term that is not on disk");
        if (reply->match <= disk.base().index) return;
        bool same = reply->match < node.log().base().index || reply->match > disk.last() ||
                    disk.chain_at(reply->match) == node.log().chain_at(reply->match);
        if (reply->match > disk.last() || !same) fail("an acknowledgement of what is not on disk");
    }
}

void Reach::add(const Reach& other) {
    auto add = [&](std::uint64_t Reach::*field) { this->*field += other.*field; };
    for (auto field : {&Reach::elections,   &Reach::commits,          &Reach::truncations,
                       &Reach::crashes,     &Reach::lost_stores,      &Reach::resets,
                       &Reach::compactions, &Reach::cold_reads,       &Reach::changes,
                       &Reach::promotions,  &Reach::removals,         &Reach::transfers,
                       &Reach::reads,       &Reach::forwarded_reads,  &Reach::damages,
                       &Reach::recoveries,  &Reach::refused_appends,  &Reach::beyond_repair,
                       &Reach::sleeps,      &Reach::deposed_sleepers, &Reach::leaders_missed})
        add(field);
}

std::vector<std::pair<std::string, std::uint64_t>> Reach::list() const {
    return {{"elections", elections},
            {"commits", commits},
            {"truncations", truncations},
            {"crashes", crashes},
            {"lost stores", lost_stores},
            {"snapshots installed", resets},
            {"compactions", compactions},
            {"cold reads", cold_reads},
            {"membership changes", changes},
            {"membership entries committed", promotions},
            {"removals noticed", removals},
            {"transfers done", transfers},
            {"reads answered", reads},
            {"reads asked of followers", forwarded_reads},
            {"damaged disks", damages},
            {"members recovered", recoveries},
            {"refused appends", refused_appends},
            {"groups beyond repair", beyond_repair},
            {"sleeping members", sleeps},
            {"deposed leaders asleep when asked", deposed_sleepers},
            {"leaders gone while all slept", leaders_missed}};
}

}  // namespace quorate::raft::test
