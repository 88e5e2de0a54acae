#include "host/base/check.hpp"
#include "host/raft/core.hpp"
#include "host/raft/mutants.hpp"

#include <algorithm>

// Single-step membership changes (§4.1): in force when appended, one at a time, and none before an
// entry of the leader's own term is committed (Ongaro's erratum of 2015).
namespace quorate::raft {
namespace {

ChangeRefusal add(Membership& to, Member member, Index last) {
    if (find(to, member.id)) return ChangeRefusal::already_member;
    member.promote_at = member.kind == VoteKind::promotable ? last : Index{};
    auto at = std::find_if(to.members.begin(), to.members.end(),
                           [&](const Member& other) { return other.id > member.id; });
    to.members.insert(at, std::move(member));
    return ChangeRefusal::none;
}

ChangeRefusal remove(Membership& from, MemberId id) {
    if (std::erase_if(from.members, [id](const Member& member) { return member.id == id; }) == 0)
        return ChangeRefusal::not_member;
    return ChangeRefusal::none;
}

ChangeRefusal set_kind(Membership& in, const SetVoteKind& change, Index last) {
    auto at = std::find_if(in.members.begin(), in.members.end(),
                           [&](const Member& member) { return member.id == change.member; });
    if (at == in.members.end()) return ChangeRefusal::not_member;
    if (at->kind == change.kind) return ChangeRefusal::already_member;
    at->kind = change.kind;
    at->promote_at = change.kind == VoteKind::promotable ? last : Index{};
    return ChangeRefusal::none;
}

}  // namespace

void Core::on(ChangeMembership&& input) {
    out_.changes.push_back(change(input));
}

Changed Core::change(const ChangeMembership& input) {
    Changed answer{.id = input.id};
    if (role_ != Role::leader) {
        answer.refusal = ChangeRefusal::not_leader;
        return answer;
    }
    Membership wanted = membership();
    Index last = log_.last().index;
    if (const auto* added = std::get_if<AddMember>(&input.change)) {
        answer.refusal =
            added->member.id ? add(wanted, added->member, last) : ChangeRefusal::not_member;
    } else if (const auto* removed = std::get_if<RemoveMember>(&input.change)) {
        answer.refusal = remove(wanted, removed->member);
    } else {
        answer.refusal = set_kind(wanted, std::get<SetVoteKind>(input.change), last);
    }
    if (answer.refusal != ChangeRefusal::none) return answer;
    if (voter_count(wanted) == 0) {
        answer.refusal = ChangeRefusal::no_voter_left;
    } else if (Index wait = change_in_the_way(); wait > commit_) {
        answer.refusal = ChangeRefusal::not_permitted;
        answer.in_the_way = wait;
    } else {
        append_membership(std::move(wanted));
        answer.entry = log_.last();
    }
    return answer;
}

// What must be committed before the next change. A transfer under way ends first, too: the heir's
// log must not grow.
Index Core::change_in_the_way() const {
    if (transfer_) return log_.last().index.next();
    Index wait = memberships_.active_since();
    if (mutant(Mutant::concurrent_changes)) wait = {};
    if (mutant(Mutant::change_before_term_commit)) return wait;
    return std::max(wait, leading_.first);
}

void Core::append_membership(Membership membership) {
    append_own(EntryKind::membership, encode(membership));
    adopt_membership();
}

// Peers as the new membership has them. A removed one is still sent what tells it so.
void Core::adopt_membership() {
    Index entry = memberships_.active_since();
    for (const Member& member : membership().members) {
        if (member.id == self_) continue;
        if (Progress* known = peer(member.id)) {
            known->leaving.reset();
            continue;
        }
        auto at = std::find_if(leading_.peers.begin(), leading_.peers.end(),
                               [&](const Progress& other) { return other.id > member.id; });
        note_reachable(*leading_.peers.insert(at, Progress(member.id, entry.next())));
    }
    for (Progress& peer : leading_.peers) {
        if (!find(membership(), peer.id) && !peer.leaving)
            peer.leaving = Progress::Leaving{entry, now_ + 2 * options_.election_timeout};
    }
    maybe_commit();
    confirm_reads();
}

// One at a time, as each is a change of its own.
void Core::promote_ready() {
    if (change_in_the_way() > commit_) return;
    Membership wanted = membership();
    for (Member& member : wanted.members) {
        if (member.kind != VoteKind::promotable) continue;
        const Progress* known = peer(member.id);
        if (!known || known->recovering || known->match < member.promote_at) continue;
        member.kind = VoteKind::voter;
        member.promote_at = {};
        return append_membership(std::move(wanted));
    }
}

}  // namespace quorate::raft
