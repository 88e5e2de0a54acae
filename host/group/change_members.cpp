#include "host/group/admin.hpp"
#include "host/group/errands.hpp"
#include "host/group/locate.hpp"
#include "host/group/names.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace quorate::group {
namespace {

// How long an empty member that nobody lists may take to be added by whoever started it.
constexpr Duration newcomer_patience = 500ms;

std::optional<PeerProgress> member_on(const MemberStatus& leader, const HostName& host) {
    for (const PeerProgress& peer : leader.members) {
        if (peer.host == host) return peer;
    }
    return std::nullopt;
}

std::string place(const MemberChange& change) {
    return "group " + quoted(change.group) + ", host " + quoted(change.host);
}

Registration registration_for(const MemberStatus& leader, MemberId member) {
    Registration registration{leader.group, leader.name, leader.epoch, member, leader.machine, {}};
    for (const PeerProgress& peer : leader.members) {
        registration.initial.members.push_back({peer.id, peer.host, peer.kind, {}});
    }
    std::sort(registration.initial.members.begin(), registration.initial.members.end(),
              [](const raft::Member& a, const raft::Member& b) { return a.id < b.id; });
    return registration;
}

// The change is in the leader's membership; is it committed? It is once everything that the leader
// holds now is.
Operation<Result<EntryId>> confirm(HostShard& shard, MemberStatus leader, Time deadline) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    Index last = leader.last;
    for (;;) {
        StatusRequest request{leader.group, false};
        auto status = co_await shard.ask<std::vector<MemberStatus>>(leader.host, request,
                                                                    shard.attempt_until(deadline));
        bool same = status && status->size() == 1 && status->front().term == leader.term;
        if (same && status->front().commit >= last) co_return EntryId{leader.term, last};
        bool more = co_await shard.pause(backoff, deadline);
        if (more) continue;
        co_return fail(Errc::deadline_exceeded,
                       "group " + quoted(leader.name) + " on host " + quoted(leader.host) +
                           ": the change is made, but not known to be committed");
    }
}

// What the leader said to a change that must be in force at the end. It may have been asked twice,
// and then says of the second time that there is nothing to do.
Operation<Result<EntryId>> settle(HostShard& shard, LeaderAnswer answer, Errc nothing_to_do,
                                  Time deadline) {
    if (answer.result) {
        if (auto* entry = std::get_if<EntryId>(&*answer.result)) co_return *entry;
        co_return fail(Errc::protocol,
                       "host " + quoted(answer.leader.host) +
                           " answered a membership change with another kind of answer");
    }
    Error error = answer.result.error();
    if (!answer.maybe_before || error.code != nothing_to_do) co_return error;
    co_return co_await confirm(shard, answer.leader, deadline);
}

// The leader, and a membership that no later leader takes back. A removal that is not committed may
// be undone; what the one removed holds, or its vote, may be needed for either.
Operation<Result<MemberStatus>> find_settled_leader(HostShard& shard, std::string group,
                                                    Time deadline) {
    CO_TRY(MemberStatus leader, co_await find_leader(shard, std::move(group), deadline));
    CO_TRY(EntryId committed, co_await confirm(shard, leader, deadline));
    static_cast<void>(committed);
    co_return leader;
}

// ---- add --------------------------------------------------------------------------------------

// Starts a member of the group on the new host and gives its id. A member that is there already
// was never added (its operation failed half-way), or was removed while its host was away. It must go, also
// if it holds nothing: requests to erase it may still be on their way, and an id never comes back
// (docs/decisions/0006).
Operation<Result<MemberId>> start_newcomer(HostShard& shard, MemberStatus leader,
                                           MemberChange change) {
    std::uint64_t minted = shard.scheduler().random();
    MemberId id(minted == 0 ? 1 : minted);
    Backoff patience(newcomer_patience, newcomer_patience);
    for (int tries = 0;; ++tries) {
        StartMemberRequest start{encode(registration_for(leader, id)), false};
        Result<Done> started = co_await shard.ask<Done>(change.host, start, change.deadline);
        if (started) co_return id;
        if (started.error().code != Errc::already_member || tries == 3) co_return started.error();

        StatusRequest question{leader.group, false};
        auto there =
            co_await shard.ask<std::vector<MemberStatus>>(change.host, question, change.deadline);
        bool gone = there ? there->size() != 1 : there.error().code == Errc::no_such_group;
        if (gone) continue;
        if (!there) co_return there.error();
        // It may have been added while we looked, or its removal may not be sure yet.
        CO_TRY(leader, co_await find_settled_leader(shard, change.group, change.deadline));
        if (member_on(leader, change.host)) {
            co_return fail(Errc::already_member, place(change) + ": it has a member already");
        }
        const MemberStatus& former = there->front();
        if (former.last == Index{} && tries == 0) {  // somebody else may be about to add it
            co_await shard.pause(patience, change.deadline);
            continue;
        }
        DeleteMemberRequest removal{leader.group, former.member, former.last};
        CO_TRY(Done removed, co_await shard.ask<Done>(change.host, removal, change.deadline));
        static_cast<void>(removed);
    }
}

Operation<Done> dismiss(HostShard& shard, HostName host, DeleteMemberRequest request,
                        Time deadline) {
    Answer answer = co_await shard.request(host, request, shard.attempt_until(deadline));
    if (answer.fate != Fate::answered) {
        shard.at(0, [host, request](HostShard& home) {
            home.host().errands->remove_member(host, request);
        });
    }
    co_return Done{};
}

// The leader certainly did not add it.
bool is_refusal(const LeaderAnswer& answer) {
    if (answer.result || answer.maybe_before) return false;
    switch (answer.result.error().code) {
        case Errc::already_member:
        case Errc::not_member:
        case Errc::change_not_permitted:
        case Errc::request_invalid:
        case Errc::no_such_group:
        case Errc::not_leader:
        case Errc::no_leader:
        case Errc::will_break_quorum:
        case Errc::overloaded:
        case Errc::disk_full:
            return true;
        default:
            return false;
    }
}

// ---- remove -----------------------------------------------------------------------------------

// Not a member, but something of the group may still be on its disk.
Operation<Result<EntryId>> sweep(HostShard& shard, GroupId group, MemberChange change) {
    StatusRequest question{group, false};
    auto there = co_await shard.ask<std::vector<MemberStatus>>(
        change.host, question, shard.attempt_until(change.deadline));
    if (!there || there->size() != 1) {
        co_return fail(Errc::not_member, place(change) + ": it has no member of the group");
    }
    CO_TRY(MemberStatus leader, co_await find_settled_leader(shard, change.group, change.deadline));
    if (leader.group != group || member_on(leader, change.host)) {
        co_return fail(Errc::change_not_permitted,
                       place(change) + ": the membership changed at the same time; try again");
    }
    DeleteMemberRequest removal{group, there->front().member, there->front().last};
    CO_TRY(Done removed, co_await shard.ask<Done>(change.host, removal, change.deadline));
    static_cast<void>(removed);
    co_return EntryId{leader.term, leader.commit};
}

}  // namespace

Operation<Result<EntryId>> add_member(HostShard& shard, MemberChange change) {
    if (auto checked = check_name(change.group); !checked) co_return checked.error();
    if (auto checked = check_host(shard, change.host); !checked) co_return checked.error();
    CO_TRY(MemberStatus leader, co_await find_leader(shard, change.group, change.deadline));
    if (member_on(leader, change.host)) {
        co_return fail(Errc::already_member, place(change) + ": it has a member already");
    }
    CO_TRY(MemberId id, co_await start_newcomer(shard, leader, change));
    GroupId group = leader.group;
    raft::Member member{id, change.host, change.kind, {}};
    LeaderRequest request{change.group, change.deadline,
                          [group, member](const MemberStatus& now) -> Result<RequestBody> {
                              if (now.group == group)
                                  return RequestBody(ChangeMemberRequest{group, member, false});
                              return fail(Errc::no_such_group, "the group was deleted");
                          }};
    LeaderAnswer answer = co_await ask_leader(shard, std::move(request));
    if (is_refusal(answer)) {
        // Not if somebody else added this very member, or does so before it is dismissed.
        auto now = member_on(answer.leader, change.host);
        if (!now || now->id != id) {
            co_await dismiss(shard, change.host, {group, id, Index{}}, change.deadline);
        }
    }
    co_return co_await settle(shard, std::move(answer), Errc::already_member, change.deadline);
}

Operation<Result<EntryId>> remove_member(HostShard& shard, MemberChange change) {
    if (auto checked = check_name(change.group); !checked) co_return checked.error();
    CO_TRY(MemberStatus leader, co_await find_leader(shard, change.group, change.deadline));
    auto leaving = member_on(leader, change.host);
    if (!leaving) co_return co_await sweep(shard, leader.group, change);
    GroupId group = leader.group;
    raft::Member member{leaving->id, change.host, leaving->kind, {}};
    LeaderRequest request{change.group, change.deadline,
                          [group, member](const MemberStatus& now) -> Result<RequestBody> {
                              if (now.group == group)
                                  return RequestBody(ChangeMemberRequest{group, member, true});
                              return fail(Errc::no_such_group, "the group was deleted");
                          }};
    LeaderAnswer answer = co_await ask_leader(shard, std::move(request));
    Result<EntryId> removed =
        co_await settle(shard, std::move(answer), Errc::not_member, change.deadline);
    if (!removed) co_return removed;
    // It may never hear of its removal: nobody sends it entries any more.
    co_await dismiss(shard, change.host, {group, member.id, {}}, change.deadline);
    co_return removed;
}

Operation<Result<Done>> transfer_leadership(HostShard& shard, MemberChange change) {
    if (auto checked = check_name(change.group); !checked) co_return checked.error();
    CO_TRY(MemberStatus leader, co_await find_leader(shard, change.group, change.deadline));
    MemberId to;
    if (!change.host.empty()) {
        auto target = member_on(leader, change.host);
        if (!target)
            co_return fail(Errc::not_member, place(change) + ": it has no member of the group");
        if (change.host == leader.host)
            co_return fail(Errc::already_leader, place(change) + ": it leads");
        if (target->kind != raft::VoteKind::voter) {
            co_return fail(Errc::not_voter, place(change) + ": its member is not a voter");
        }
        to = target->id;
    }
    TransferRequest request{leader.group, to};
    Result<Done> done = co_await shard.ask<Done>(leader.host, request, change.deadline);
    if (!done) co_return within("group " + quoted(change.group), done.error());
    // The old leader knows that it was deposed; the caller wants to hear that the new one leads.
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    for (bool more = true; more;) {
        CO_TRY(MemberStatus now, co_await find_leader(shard, change.group, change.deadline));
        if (change.host.empty() || now.host == change.host) co_return Done{};
        // Elected, and deposed again since: it did take over.
        if (now.term.value() > leader.term.value() + 1) co_return Done{};
        more = co_await shard.pause(backoff, change.deadline);
    }
    co_return fail(Errc::transfer_failed,
                   place(change) + ": it did not take over before the deadline");
}

}  // namespace quorate::group
