#include "host/group/locate.hpp"

#include "host/group/names.hpp"

#include <algorithm>
#include <utility>

namespace quorate::group {
namespace {

bool names_leader(const Answer& answer) {
    if (!answer.result) return false;
    auto* location = std::get_if<GroupLocation>(&*answer.result);
    return location != nullptr && !location->leader.empty();
}

Error nobody_knows(HostShard& shard, const std::string& name,
                   const std::vector<HostAnswer>& answers) {
    std::size_t without = 0;
    for (const HostAnswer& answer : answers) {
        if (!answer.answer.result && answer.answer.result.error().code == Errc::no_such_group) {
            ++without;
        }
    }
    std::size_t known = std::max<std::size_t>(shard.known_hosts().size(), 1);
    if (without > known / 2) {
        return fail(Errc::no_such_group, "no group " + quoted(name) + " on the " +
                                             std::to_string(without) + " of " +
                                             std::to_string(known) + " hosts that answered host " +
                                             quoted(shard.name()));
    }
    return fail(Errc::unreachable, "group " + quoted(name) + " is not on host " +
                                       quoted(shard.name()) + ", and only " +
                                       std::to_string(without) + " of " + std::to_string(known) +
                                       " known hosts could tell whether they have it");
}

// Whether the same request may succeed a little later, perhaps elsewhere.
bool may_pass(Errc code) {
    switch (code) {
        case Errc::not_leader:
        case Errc::no_leader:
        case Errc::leadership_lost:
        case Errc::member_stopped:
        case Errc::unreachable:
        case Errc::deadline_exceeded:
        case Errc::change_not_permitted:
            return true;
        default:
            return false;
    }
}

// Whether the leader may have carried out what it was asked though its answer is this error.
bool is_uncertain(const Answer& answer) {
    if (answer.result) return false;
    Errc code = answer.result.error().code;
    return answer.fate == Fate::lost || code == Errc::leadership_lost ||
           code == Errc::deadline_exceeded || code == Errc::member_stopped;
}

}  // namespace

GroupLocation location_of(const Group& member) {
    MemberStatus status = member.status();
    GroupLocation location{status.group, status.name, status.leader, {}};
    for (const PeerProgress& peer : status.members) location.hosts.push_back(peer.host);
    if (!location.hosts.empty()) return location;
    // It is starting, and does not know its log yet.
    for (const raft::Member& peer : member.registration().initial.members) {
        location.hosts.push_back(peer.host);
    }
    return location;
}

Operation<Result<GroupLocation>> locate_group(HostShard& shard, std::string name, Time deadline) {
    LocateRequest request{name};
    std::vector<HostAnswer> answers;
    // Our own member first: that costs no message.
    Answer own = co_await shard.request(shard.name(), request, deadline);
    bool known = names_leader(own);
    answers.push_back({shard.name(), std::move(own)});
    if (!known) {
        std::vector<HostName> others = shard.reachable_hosts();
        std::erase(others, shard.name());
        auto more = co_await shard.ask_all(std::move(others), request, deadline, names_leader);
        for (HostAnswer& answer : more) answers.push_back(std::move(answer));
    }
    GroupLocation* best = nullptr;
    for (HostAnswer& answer : answers) {
        if (!answer.answer.result) continue;
        auto* location = std::get_if<GroupLocation>(&*answer.answer.result);
        if (location != nullptr && (best == nullptr || names_leader(answer.answer)))
            best = location;
    }
    if (best != nullptr) co_return std::move(*best);
    co_return nobody_knows(shard, name, answers);
}

Operation<Result<MemberStatus>> find_leader(HostShard& shard, std::string name, Time deadline) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    Error last = fail(Errc::no_leader, "no member knows a leader");
    for (;;) {
        Time until = shard.attempt_until(deadline);
        Result<GroupLocation> where = co_await locate_group(shard, name, until);
        if (!where) {
            last = where.error();
            if (last.code == Errc::no_such_group) co_return last;
        } else if (!where->leader.empty()) {
            StatusRequest request{where->group, false};
            auto told =
                co_await shard.ask<std::vector<MemberStatus>>(where->leader, request, until);
            if (!told) {
                last = told.error();
            } else if (told->size() == 1 && told->front().role == raft::Role::leader) {
                co_return std::move(told->front());
            }
        }
        bool more = co_await shard.pause(backoff, deadline);
        if (!more) break;
    }
    co_return fail(Errc::no_leader,
                   "group " + quoted(name) + ": host " + quoted(shard.name()) +
                       " found no leader before the deadline; last: " + to_string(last));
}

Operation<LeaderAnswer> ask_leader(HostShard& shard, LeaderRequest request) {
    Backoff backoff(shard.options().backoff_first, shard.options().backoff_longest);
    LeaderAnswer answer{fail(Errc::no_leader, "no leader was asked"), {}, false};
    bool uncertain = false;
    for (;;) {
        answer.maybe_before = uncertain;
        Result<MemberStatus> leader = co_await find_leader(shard, request.name, request.deadline);
        if (!leader) {
            answer.result = leader.error();
            co_return answer;
        }
        answer.leader = std::move(*leader);
        Result<RequestBody> body = request.body(answer.leader);
        if (!body) {
            answer.result = body.error();
            co_return answer;
        }
        // A leader that is cut off must not use up all of the time.
        Duration share = (request.deadline - shard.now()) / 3;
        Time until = std::min(request.deadline,
                              shard.now() + std::max(share, shard.options().attempt_timeout));
        Answer got = co_await shard.request(answer.leader.host, std::move(*body), until);
        uncertain = uncertain || is_uncertain(got);
        answer.result = std::move(got.result);
        if (answer.result) co_return answer;
        answer.result =
            within("group " + quoted(request.name) + " on host " + quoted(answer.leader.host),
                   answer.result.error());
        if (!may_pass(answer.result.error().code)) co_return answer;
        bool more = co_await shard.pause(backoff, request.deadline);
        if (!more) co_return answer;
    }
}

}  // namespace quorate::group
